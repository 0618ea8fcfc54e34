# SPDX-License-Identifier: Apache-2.0
"""What ARCHIVE_BUCKET_URL may say. Source: the contract, ops §2.7."""

import pytest

from argyll_archiver.target import FileTarget, S3Target, Target, is_same_place, parse_target, target_text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///srv/flows", FileTarget(directory="/srv/flows")),
        ("file:///srv/my%20flows/", FileTarget(directory="/srv/my flows")),
        ("s3://flows", S3Target(bucket="flows")),
        ("s3://flows/?region=eu-west-1", S3Target(bucket="flows", region="eu-west-1")),
        (
            "s3://b?region=local&endpoint=http://host:9000&hostname_immutable=true&use_path_style=true",
            S3Target(
                bucket="b", region="local", endpoint="http://host:9000", hostname_immutable=True, use_path_style=True
            ),
        ),
        ("s3://b?s3ForcePathStyle=1", S3Target(bucket="b", use_path_style=True)),
        ("s3://b?ssetype=aws:kms&kmskeyid=k", S3Target(bucket="b", ssetype="aws:kms", kmskeyid="k")),
        ("s3://b?disable_https=false&storage_class=GLACIER_IR", S3Target(bucket="b", storage_class="GLACIER_IR")),
    ],
)
def test_a_url_names_a_place(url: str, expected: Target) -> None:
    """Schemes and options as documented, the alias too."""
    assert expected == parse_target(url)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("gs://b", "'gs'"),
        ("azblob://b", "'azblob'"),
        ("/srv/flows", "''"),
        ("file://host/srv", "'host'"),
        ("file:///srv?fsync=no", "no options"),
        ("file:", "absolute"),
        ("s3://", "bucket"),
        ("s3://b/folder", "ARCHIVE_PREFIX"),
        ("s3://key:secret@b", "bucket"),
        ("s3://b?colour=red", "'colour'"),
        ("s3://b?region=a&region=b", "'region'"),
        ("s3://b?use_path_style=true&s3ForcePathStyle=true", "'s3ForcePathStyle'"),
        ("s3://b?use_path_style=yes", "'use_path_style'"),
        ("s3://b?endpoint=host:9000", "'endpoint'"),
        ("s3://b?ssetype=rot13", "'ssetype'"),
        ("s3://b?kmskeyid=k", "'kmskeyid'"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(url: str, named: str) -> None:
    """An option that is passed over silently would leave objects unencrypted, or elsewhere."""
    with pytest.raises(ValueError, match=named):
        parse_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "file:///srv/flows",
        "file:///srv/a%20b",
        "s3://b",
        "s3://b?region=eu&endpoint=http%3A%2F%2Fhost%3A9000&use_path_style=true&ssetype=AES256",
        "s3://b?anonymous=1&disable_https=true",
    ],
)
def test_a_place_can_be_written_down(url: str) -> None:
    """And read again, by whoever looks for an object that went there before."""
    assert parse_target(url) == parse_target(target_text(parse_target(url)))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("file:///a", "file:///a", True),
        ("file:///a", "file:///b", False),
        ("file:///b", "s3://b", False),
        ("s3://b?region=eu", "s3://b?storage_class=STANDARD_IA", True),
        ("s3://b", "s3://c", False),
        ("s3://b", "s3://b?endpoint=http://host", False),
    ],
)
def test_a_bucket_of_one_store_is_one_place(one: str, other: str, expected: bool) -> None:
    """However it is reached, and whatever new objects get."""
    assert expected == is_same_place(parse_target(one), parse_target(other))

{{- define "argyll.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "argyll.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "argyll.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "argyll.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "argyll.selector" -}}
app.kubernetes.io/name: {{ include "argyll.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "argyll.labels" -}}
{{ include "argyll.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: argyll
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "argyll.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "argyll.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "argyll.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{/* How step services reach the API: by the ingress, if there is one. */}}
{{- define "argyll.webhookUrl" -}}
{{- if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty .Values.ingress.tls))) (first .Values.ingress.hosts).host -}}
{{- else -}}
{{- printf "http://%s.%s.svc:%v" (include "argyll.fullname" .) .Release.Namespace .Values.service.port -}}
{{- end -}}
{{- end -}}

{{/* The variables, as YAML: ours, and over them those of config.inline. Members that are no variables are left out. */}}
{{- define "argyll.variables" -}}
{{- $variables := dict
  "ENGINE_REDIS_ADDR" .Values.redis.addr
  "FLOW_REDIS_ADDR" .Values.redis.addr
  "WEBHOOK_BASE_URL" (include "argyll.webhookUrl" .)
  "API_HOST" "0.0.0.0"
  "API_PORT" "8080"
  "WORKER_METRICS_PORT" (toString .Values.service.mgmtPort)
  "LOG_FORMAT" "json"
  "ARGYLL_DATA_DIR" "/data"
-}}
{{- if .Values.archiver.bucketUrl -}}
{{- $_ := set $variables "ARCHIVE_BUCKET_URL" .Values.archiver.bucketUrl -}}
{{- end -}}
{{- range $name, $value := fromYaml .Values.config.inline -}}
{{- if and (regexMatch "^[A-Z][A-Z0-9_]*$" $name) (not (kindIs "slice" $value)) (not (kindIs "map" $value)) -}}
{{- $is_whole := and (kindIs "float64" $value) (eq (toString $value) (toString (float64 (int64 $value)))) -}}
{{- $_ := set $variables $name (ternary (toString (int64 $value)) (toString $value) $is_whole) -}}
{{- end -}}
{{- end -}}
{{- toYaml $variables -}}
{{- end -}}

{{/* Members of config.inline that Argyll has no use for. */}}
{{- define "argyll.unused" -}}
{{- range $name, $value := fromYaml .Values.config.inline -}}
{{- if or (not (regexMatch "^[A-Z][A-Z0-9_]*$" $name)) (kindIs "slice" $value) (kindIs "map" $value) }} {{ $name }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* A pod's template. Takes root, component, args, resources, port (its name and number) and probes (true or false). */}}
{{- define "argyll.pod" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
metadata:
  labels:
    {{- include "argyll.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "argyll.variables" $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "argyll.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  containers:
    - name: {{ .component }}
      image: {{ include "argyll.image" $root | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      {{- if $values.config.path }}
      command: [/bin/sh, -c, 'set -a; . "$0"; set +a; exec argyll "$@"', {{ $values.config.path | quote }}]
      {{- end }}
      args:
        {{- toYaml .args | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "argyll.fullname" $root }}
        {{- with $values.envFromSecret }}
        - secretRef:
            name: {{ . }}
        {{- end }}
      {{- with $values.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .port }}
      ports:
        - name: {{ .name }}
          containerPort: {{ .number }}
          protocol: TCP
      {{- end }}
      {{- if .probes }}
      {{- $port := .port.name }}
      {{- range $kind, $probe := $values.probes }}
      {{ $kind }}Probe:
        httpGet:
          path: {{ $probe.path }}
          port: {{ $port }}
        {{- toYaml (omit $probe "path") | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- if .preStopSeconds }}
      lifecycle:
        preStop:
          exec:
            command: [sleep, {{ .preStopSeconds | quote }}]
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      securityContext:
        {{- toYaml $values.securityContext | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        - name: state
          mountPath: /data
        {{- with .volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    - name: state
      emptyDir: {sizeLimit: 64Mi}
    {{- with .volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* A deployment, and where they make sense its autoscaler and disruption budget. Takes what argyll.pod takes, and
     name, replicas, autoscaling (or nothing). */}}
{{- define "argyll.component" -}}
{{- $root := .root -}}
{{- $scales := dig "enabled" false (default dict .autoscaling) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels:
    {{- include "argyll.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- if not $scales }}
  replicas: {{ .replicas }}
  {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "argyll.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  template:
    {{- include "argyll.pod" . | nindent 4 }}
{{- if $scales }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  labels:
    {{- include "argyll.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name }}
  minReplicas: {{ .autoscaling.minReplicas }}
  maxReplicas: {{ .autoscaling.maxReplicas }}
  metrics:
    {{- range $resource, $share := dict "cpu" .autoscaling.targetCPUUtilizationPercentage "memory" .autoscaling.targetMemoryUtilizationPercentage }}
    {{- if $share }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target:
          type: Utilization
          averageUtilization: {{ $share }}
    {{- end }}
    {{- end }}
{{- end }}
{{- $pods := int (ternary (dig "minReplicas" 1 (default dict .autoscaling)) .replicas $scales) }}
{{- if and $root.Values.podDisruptionBudget.enabled (gt $pods 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels:
    {{- include "argyll.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  maxUnavailable: {{ $root.Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "argyll.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
{{- end }}
{{- end -}}

{{/* A service without an address of its own, by which Prometheus finds the pods of a component. */}}
{{- define "argyll.metricsService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}-metrics
  labels:
    {{- include "argyll.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    argyll-scrape-job: argyll-{{ .component }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  ports:
    - name: metrics
      port: {{ .port.number }}
      targetPort: {{ .port.name }}
      protocol: TCP
  selector:
    {{- include "argyll.selector" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
{{- end -}}

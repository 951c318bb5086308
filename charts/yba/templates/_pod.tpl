{{/*
The names and the pod that all workloads share.
*/}}
{{- define "yba.services" -}}access consults coverage exchange gateway notices records stations{{- end -}}

{{- define "yba.fullname" -}}
{{- if contains "yba" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-yba" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "yba.selector" -}}
app.kubernetes.io/name: yba
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "yba.labels" -}}
{{ include "yba.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "yba.serviceAccount" -}}{{ .Values.serviceAccount.name | default (include "yba.fullname" .) }}{{- end -}}

{{- define "yba.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{- else -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end -}}
{{- end -}}

{{- define "yba.host" -}}{{ .Values.ingress.host | default (urlParse .Values.publicURL).hostname }}{{- end -}}

{{/* Where the services find one another: name=host:port for each. */}}
{{- define "yba.peers" -}}
{{- $out := list -}}
{{- range $name := splitList " " (include "yba.services" .) -}}
{{- if ne $name "gateway" -}}{{- $out = append $out (printf "%s=%s-%s:9090" $name (include "yba.fullname" $) $name) -}}{{- end -}}
{{- end -}}
{{- join "," $out -}}
{{- end -}}

{{- define "yba.edges" -}}
{{- $out := list -}}
{{- range $name := splitList " " (include "yba.services" .) -}}
{{- if ne $name "gateway" -}}{{- $out = append $out (printf "%s=http://%s-%s:8080" $name (include "yba.fullname" $) $name) -}}{{- end -}}
{{- end -}}
{{- join "," $out -}}
{{- end -}}

{{/*
yba.pod is a workload's pod template. Its argument is a dict of root, service
("" runs them all), resources and claim (a PersistentVolumeClaim's name, or ""
for a folder that ends with the pod).
*/}}
{{- define "yba.pod" -}}
{{- $root := .root -}}
{{- $v := .root.Values -}}
{{- $media := or (eq .service "") (eq .service "consults") -}}
metadata:
  labels:
    {{- include "yba.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .service | default "suite" }}
  {{- with $v.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "yba.serviceAccount" $root }}
  automountServiceAccountToken: false
  # Kubernetes would add variables such as YBA_RECORDS_SERVICE_HOST, which yba
  # refuses as unknown settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: 45
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: yba
      image: {{ include "yba.image" $root | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [serve{{ with .service }}, {{ . }}{{ end }}]
      env:
        - {name: YBA_DATA, value: /var/lib/yba}
        - {name: YBA_LISTEN, value: ":8080"}
        - {name: YBA_PUBLIC_URL, value: {{ $v.publicURL | quote }}}
        {{- if ne .service "gateway" }}
        - {name: YBA_DATABASE_URL_FILE, value: /run/secrets/yba/database-url}
        {{- end }}
        {{- if .service }}
        - {name: YBA_INTERNAL_KEY_FILE, value: /run/secrets/yba/internal-key}
        - {name: YBA_PEERS, value: {{ include "yba.peers" $root | quote }}}
        {{- if eq .service "gateway" }}
        - {name: YBA_EDGES, value: {{ include "yba.edges" $root | quote }}}
        {{- else }}
        - {name: YBA_GRPC_LISTEN, value: ":9090"}
        {{- end }}
        {{- end }}
        {{- if $media }}
        - {name: YBA_MEDIA_PORT, value: {{ $v.media.port | quote }}}
        - {name: YBA_MEDIA_IPS, value: {{ join "," $v.media.ips | quote }}}
        {{- if $v.turn.urls }}
        - {name: YBA_TURN_PORT, value: "0"}
        - {name: YBA_TURN_URLS, value: {{ join "," $v.turn.urls | quote }}}
        - {name: YBA_TURN_SECRET_FILE, value: /run/secrets/yba/turn-secret}
        {{- else }}
        - {name: YBA_TURN_PORT, value: {{ $v.media.turnPort | quote }}}
        {{- end }}
        {{- end }}
        {{- range $key, $value := $v.config }}
        - {name: {{ printf "YBA_%s" ($key | upper | replace "-" "_") }}, value: {{ $value | toString | quote }}}
        {{- end }}
      ports:
        - {name: http, containerPort: 8080, protocol: TCP}
        {{- if and .service (ne .service "gateway") }}
        - {name: grpc, containerPort: 9090, protocol: TCP}
        {{- end }}
        {{- if $media }}
        - {name: media-udp, containerPort: {{ $v.media.port }}, protocol: UDP}
        - {name: media-tcp, containerPort: {{ $v.media.port }}, protocol: TCP}
        {{- if not $v.turn.urls }}
        - {name: turn-udp, containerPort: {{ $v.media.turnPort }}, protocol: UDP}
        - {name: turn-tcp, containerPort: {{ $v.media.turnPort }}, protocol: TCP}
        {{- end }}
        {{- end }}
      # Migrations run before the first answer, so starting may take minutes.
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 3
        timeoutSeconds: 3
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /var/lib/yba}
        - {name: tmp, mountPath: /tmp}
        - {name: secrets, mountPath: /run/secrets/yba, readOnly: true}
  volumes:
    - name: data
      {{- if .claim }}
      persistentVolumeClaim: {claimName: {{ .claim }}}
      {{- else }}
      emptyDir: {}
      {{- end }}
    - name: tmp
      emptyDir: {medium: Memory, sizeLimit: 64Mi}
    - name: secrets
      secret:
        secretName: {{ $v.existingSecret | quote }}
        defaultMode: 0440
        items:
          {{- if ne .service "gateway" }}
          - {key: database-url, path: database-url}
          {{- end }}
          {{- if .service }}
          - {key: internal-key, path: internal-key}
          {{- end }}
          {{- if and $media $v.turn.urls }}
          - {key: turn-secret, path: turn-secret}
          {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not .claim }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "yba.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ .service | default "suite" }}
  {{- end }}
{{- end -}}

{{/* Names and labels. */}}
{{- define "streamgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 letters: a StatefulSet appends a hash to the names of its revisions. */}}
{{- define "streamgate.fullname" -}}
{{- $name := include "streamgate.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "streamgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "streamgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "streamgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "streamgate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "streamgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "streamgate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "streamgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Times of an orderly stop. With one embedded node there is no other to take over: a drain would prolong the outage. */}}
{{- define "streamgate.drainSeconds" -}}
{{- if eq .Values.store.type "embedded" -}}0{{- else -}}{{ int .Values.shutdown.drainSeconds }}{{- end -}}
{{- end -}}

{{- define "streamgate.terminationSeconds" -}}
{{- add (include "streamgate.drainSeconds" . | int) (int .Values.shutdown.graceSeconds) (int .Values.shutdown.slackSeconds) -}}
{{- end -}}

{{/* Values that contradict each other, each with what to do. Called by every workload. */}}
{{- define "streamgate.check" -}}
{{- $v := .Values -}}
{{- $store := $v.store -}}
{{- if not $v.image.repository -}}
{{- fail "image.repository is required: where the image is, such as registry.example/streamgate" -}}
{{- end -}}
{{- if not $store.type -}}
{{- fail "store.type is required: redis, dynamodb or embedded" -}}
{{- end -}}
{{- if and (eq $store.type "redis") (not $store.redis.existingSecret) -}}
{{- fail "store.redis.existingSecret is required with store.type redis: the name of a Secret with the URL of the store" -}}
{{- end -}}
{{- if and $store.redis.tlsClientCertificate (not $store.redis.tlsSecret) -}}
{{- fail "store.redis.tlsClientCertificate needs store.redis.tlsSecret: the Secret with tls.crt and tls.key" -}}
{{- end -}}
{{- if and (eq $store.type "dynamodb") (not $store.dynamodb.table) -}}
{{- fail "store.dynamodb.table is required with store.type dynamodb" -}}
{{- end -}}
{{- if eq $store.type "embedded" -}}
{{- if ne (int $v.replicas) 1 -}}
{{- fail (printf "replicas must be 1 with store.type embedded, not %d: several nodes need a shared store (redis or dynamodb)" (int $v.replicas)) -}}
{{- end -}}
{{- if $v.autoscaling.enabled -}}
{{- fail "autoscaling.enabled must be false with store.type embedded: several nodes need a shared store (redis or dynamodb)" -}}
{{- end -}}
{{- end -}}
{{- if and $v.keys.existingSecret $v.keys.allowAnonymous -}}
{{- fail "keys.existingSecret and keys.allowAnonymous exclude each other" -}}
{{- end -}}
{{- if not (or $v.keys.existingSecret $v.keys.allowAnonymous) -}}
{{- fail "keys.existingSecret is required: the name of a Secret with the lines that `streamgate key new` prints. keys.allowAnonymous serves without API keys" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (not (dig "requests" "cpu" "" $v.resources)) -}}
{{- fail "resources.requests.cpu is required with autoscaling.enabled: the target is a percentage of it" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is greater than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.hosts is required with ingress.enabled" -}}
{{- end -}}
{{- if and $v.prometheusRule.enabled (not (contains "streamgate" (include "streamgate.name" .))) -}}
{{- fail "nameOverride must contain streamgate with prometheusRule.enabled: the alerts know the pods by it" -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled (dig "metrics" "require_key" false $v.settings) (not $v.serviceMonitor.credentials) -}}
{{- fail "serviceMonitor.credentials is required with settings.metrics.require_key: the Secret and key of an API key of scope admin" -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled $v.tls.existingSecret (not $v.serviceMonitor.tlsConfig) -}}
{{- fail "serviceMonitor.tlsConfig is required with tls.existingSecret: the name and the authority of the certificate" -}}
{{- end -}}
{{- end -}}

{{/* How URLs of the Service begin. */}}
{{- define "streamgate.scheme" -}}
{{- if .Values.tls.existingSecret }}https{{ else }}http{{ end }}
{{- end -}}

{{/* Settings that have a place of their own among the values: secrets, and what other objects depend on. */}}
{{- define "streamgate.reserved" -}}
{{- dict
  "STREAMGATE_LISTEN" "listenAddress"
  "STREAMGATE_DATA_DIR" "store.embedded"
  "STREAMGATE_ALLOW_ANONYMOUS" "keys.allowAnonymous"
  "STREAMGATE_KEYS" "keys.existingSecret"
  "STREAMGATE_CONFIG" "keys.existingSecret"
  "STREAMGATE_STORE_URL" "store.type and the values beside it"
  "STREAMGATE_STORE_DYNAMODB_REGION" "store.dynamodb.region"
  "STREAMGATE_STORE_REDIS_SENTINEL_PASSWORD" "store.redis.sentinelPasswordKey"
  "STREAMGATE_STORE_REDIS_TLS_CA_FILE" "store.redis.tlsSecret"
  "STREAMGATE_STORE_REDIS_TLS_CERT_FILE" "store.redis.tlsSecret"
  "STREAMGATE_STORE_REDIS_TLS_KEY_FILE" "store.redis.tlsSecret"
  "STREAMGATE_TLS_CERT_FILE" "tls.existingSecret"
  "STREAMGATE_TLS_KEY_FILE" "tls.existingSecret"
  "STREAMGATE_TLS_CLIENT_CA_FILE" "a proxy in front: probes of Kubernetes show no certificate"
  "STREAMGATE_SENTRY_DSN" "secretSettings"
  "STREAMGATE_TRACES_HEADERS" "secretSettings"
  "STREAMGATE_HTTP_DRAIN_S" "shutdown.drainSeconds"
  "STREAMGATE_HTTP_SHUTDOWN_GRACE_S" "shutdown.graceSeconds"
  | toJson -}}
{{- end -}}

{{/*
Variables of a tree of settings, `policy.lease_s` as STREAMGATE_POLICY_LEASE_S.
Helm reads numbers as floats, which would print large ones as 4.294967295e+09.
*/}}
{{- define "streamgate.variables" -}}
{{- $reserved := include "streamgate.reserved" . | fromJson -}}
{{- range $name, $value := .tree }}
{{- $path := printf "%s.%s" $.path $name }}
{{- $variable := printf "%s_%s" $.variable ($name | upper | replace "-" "_") }}
{{- if hasKey $reserved $variable }}
{{- fail (printf "%s cannot be set there: use %s" $path (get $reserved $variable)) }}
{{- end }}
{{- if kindIs "map" $value }}
{{- include "streamgate.variables" (dict "tree" $value "path" $path "variable" $variable) }}
{{- else if kindIs "invalid" $value }}
{{- else }}
- name: {{ $variable }}
  {{- if kindIs "slice" $value }}
  value: {{ join "," $value | quote }}
  {{- else if and (kindIs "float64" $value) (eq (floor $value) $value) }}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The pod, the same in the Deployment and the StatefulSet. */}}
{{- define "streamgate.pod" -}}
{{- $v := .Values -}}
{{- $redis := and (eq $v.store.type "redis") $v.store.redis -}}
metadata:
  labels:
    {{- include "streamgate.labels" . | nindent 4 }}
    {{- with $v.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $v.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "streamgate.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "streamgate.terminationSeconds" . }}
  {{- with $v.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: streamgate
      image: {{ include "streamgate.image" . | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      env:
        - name: STREAMGATE_LISTEN
          {{- if contains ":" $v.listenAddress }}
          value: {{ printf "[%s]:8080" $v.listenAddress | quote }}
          {{- else }}
          value: {{ printf "%s:8080" $v.listenAddress | quote }}
          {{- end }}
        - name: STREAMGATE_HTTP_DRAIN_S
          value: {{ include "streamgate.drainSeconds" . | quote }}
        - name: STREAMGATE_HTTP_SHUTDOWN_GRACE_S
          value: {{ int $v.shutdown.graceSeconds | quote }}
        {{- if $v.keys.allowAnonymous }}
        - name: STREAMGATE_ALLOW_ANONYMOUS
          value: "true"
        {{- else }}
        - name: STREAMGATE_CONFIG
          value: /etc/streamgate/keys/{{ $v.keys.fileKey }}
        {{- end }}
        {{- if $v.tls.existingSecret }}
        - name: STREAMGATE_TLS_CERT_FILE
          value: /etc/streamgate/tls/tls.crt
        - name: STREAMGATE_TLS_KEY_FILE
          value: /etc/streamgate/tls/tls.key
        {{- end }}
        {{- if $redis }}
        - name: STREAMGATE_STORE_URL
          valueFrom:
            secretKeyRef:
              name: {{ $redis.existingSecret }}
              key: {{ $redis.urlKey }}
        {{- with $redis.sentinelPasswordKey }}
        - name: STREAMGATE_STORE_REDIS_SENTINEL_PASSWORD
          valueFrom:
            secretKeyRef:
              name: {{ $redis.existingSecret }}
              key: {{ . }}
        {{- end }}
        {{- if $redis.tlsSecret }}
        - name: STREAMGATE_STORE_REDIS_TLS_CA_FILE
          value: /etc/streamgate/redis/ca.crt
        {{- if $redis.tlsClientCertificate }}
        - name: STREAMGATE_STORE_REDIS_TLS_CERT_FILE
          value: /etc/streamgate/redis/tls.crt
        - name: STREAMGATE_STORE_REDIS_TLS_KEY_FILE
          value: /etc/streamgate/redis/tls.key
        {{- end }}
        {{- end }}
        {{- else if eq $v.store.type "dynamodb" }}
        - name: STREAMGATE_STORE_URL
          value: dynamodb://{{ $v.store.dynamodb.table }}
        {{- with $v.store.dynamodb.region }}
        - name: STREAMGATE_STORE_DYNAMODB_REGION
          value: {{ . | quote }}
        {{- end }}
        {{- else }}
        - name: STREAMGATE_STORE_URL
          value: embedded
        # A directory below the mount point: the volume's own is open to the group, and may have a lost+found.
        - name: STREAMGATE_DATA_DIR
          value: /data/store
        {{- end }}
        {{- $reserved := include "streamgate.reserved" . | fromJson }}
        {{- range $v.secretSettings }}
        {{- $variable := printf "STREAMGATE_%s" (.setting | upper | replace "-" "_" | replace "." "_") }}
        {{- if not (has (get $reserved $variable) (list "" "secretSettings")) }}
        {{- fail (printf "secretSettings cannot set %s: use %s" .setting (get $reserved $variable)) }}
        {{- end }}
        - name: {{ $variable }}
          valueFrom:
            secretKeyRef:
              name: {{ .name }}
              key: {{ .key }}
        {{- end }}
        {{- with include "streamgate.variables" (dict "tree" $v.settings "path" "settings" "variable" "STREAMGATE") | trim }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- if and (eq $v.store.type "dynamodb") $v.store.dynamodb.credentialsSecret }}
      envFrom:
        - secretRef:
            name: {{ $v.store.dynamodb.credentialsSecret }}
      {{- end }}
      ports:
        - name: http
          containerPort: 8080
          protocol: TCP
      {{- $probe := ternary ", scheme: HTTPS" "" (ne $v.tls.existingSecret "") }}
      # Liveness asks the process alone: a store that is away must not restart the nodes.
      startupProbe:
        httpGet: {path: /healthz, port: http{{ $probe }}}
        periodSeconds: {{ int $v.startupProbe.periodSeconds }}
        failureThreshold: {{ int $v.startupProbe.failureThreshold }}
      livenessProbe:
        httpGet: {path: /healthz, port: http{{ $probe }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: http{{ $probe }}}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      {{- with $v.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- $mounts := or $v.keys.existingSecret $v.tls.existingSecret (and $redis $redis.tlsSecret) (eq $v.store.type "embedded") }}
      {{- if $mounts }}
      volumeMounts:
        {{- if $v.keys.existingSecret }}
        - name: keys
          mountPath: /etc/streamgate/keys
          readOnly: true
        {{- end }}
        {{- if $v.tls.existingSecret }}
        - name: tls
          mountPath: /etc/streamgate/tls
          readOnly: true
        {{- end }}
        {{- if and $redis $redis.tlsSecret }}
        - name: redis-tls
          mountPath: /etc/streamgate/redis
          readOnly: true
        {{- end }}
        {{- if eq $v.store.type "embedded" }}
        - name: data
          mountPath: /data
        {{- end }}
      {{- end }}
  {{- if or $v.keys.existingSecret $v.tls.existingSecret (and $redis $redis.tlsSecret) }}
  volumes:
    {{- if $v.keys.existingSecret }}
    - name: keys
      secret:
        secretName: {{ $v.keys.existingSecret }}
        defaultMode: 0440
        items:
          - key: {{ $v.keys.fileKey }}
            path: {{ $v.keys.fileKey }}
    {{- end }}
    {{- if $v.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ $v.tls.existingSecret }}
        defaultMode: 0440
    {{- end }}
    {{- if and $redis $redis.tlsSecret }}
    - name: redis-tls
      secret:
        secretName: {{ $redis.tlsSecret }}
        defaultMode: 0440
    {{- end }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and $v.topologySpread (ne $v.store.type "embedded") }}
  topologySpreadConstraints:
    {{- range $v.topologySpread }}
    - {{ toYaml . | indent 6 | trim }}
      labelSelector:
        matchLabels:
          {{- include "streamgate.selectorLabels" $ | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end -}}

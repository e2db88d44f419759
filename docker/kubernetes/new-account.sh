#!/bin/sh
# Makes the overlay of an account: sh docker/kubernetes/new-account.sh NAME MINUTE
# The secret is yours to make, so that it is in no file:
#   kubectl create secret generic NAME-aweber-sync --from-literal=AWEBER_CLIENT_ID=…
set -eu
name=$1 minute=$2
cd "$(dirname "$0")"
mkdir -p "accounts/$name"
cat >"accounts/$name/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../base
namePrefix: $name-
patches:
  - target:
      kind: CronJob
    patch: |-
      - op: replace
        path: /spec/schedule
        value: "$minute 3 * * *"
      - op: replace
        path: /spec/jobTemplate/spec/template/spec/containers/0/envFrom/0/secretRef/name
        value: $name-aweber-sync
END

#!/bin/sh
# Writes the kustomize overlay of an account: sh docker/kubernetes/new-account.sh NAME MINUTE
# NAME is part of the names of Kubernetes objects and of a path: lower-case letters, digits and hyphens, at most 40.
# MINUTE (0 to 59) is when the account's run starts, after 3:00.
# Create the account's secret yourself, so that it is in no file of the overlay:
#   kubectl create secret generic NAME-aweber-sync --from-literal=client_id=… [--from-file=client_secret=…]
set -eu
LC_ALL=C
refuse() {
    echo "new-account.sh: $1" >&2
    echo "usage: sh new-account.sh NAME MINUTE" >&2
    exit 2
}
[ $# -eq 2 ] || refuse "expected a name and a minute"
name=$1 minute=$2
case $name in
    '' | -* | *- | *[!a-z0-9-]*) refuse 'invalid NAME: expected lower-case letters, digits and inner hyphens' ;;
esac
[ ${#name} -le 40 ] || refuse 'invalid NAME: longer than 40 characters'
case $minute in
    [0-9] | [1-5][0-9]) ;;
    *) refuse 'invalid MINUTE: expected 0 to 59' ;;
esac
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
        path: /spec/jobTemplate/spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/name
        value: $name-aweber-sync
      - op: replace
        path: /spec/jobTemplate/spec/template/spec/volumes/1/secret/secretName
        value: $name-aweber-sync
END

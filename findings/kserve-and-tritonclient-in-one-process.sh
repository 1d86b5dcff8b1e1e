#!/usr/bin/env bash
# kserve 0.21.0 and tritonclient 2.73.0 (with protobuf 6.33.6, Python 3.11): the gRPC halves of the two clients of one protocol can not be
# imported into one process, in whatever order. Each brings its own copy of the protocol's file, under another file name and the
# same package `inference`, and protobuf keeps one table of names for a process: the second import ends with a TypeError about a
# duplicate symbol. Each alone works, and so do both where tritonclient's HTTP half alone is imported. A test or a gateway that is
# to speak with both needs two processes; a plugin of one that is loaded by the other fails when it is imported.
#
# Seen:
#   kserve alone: ok
#   tritonclient.grpc alone: ok
#   kserve, tritonclient.http: ok
#   tritonclient.grpc, kserve: TypeError, duplicate symbol
#   kserve, tritonclient.grpc: TypeError, duplicate symbol
#
# Needs python3 with venv and a package index. Exits 0 while it is so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip -q --disable-pip-version-check --no-cache-dir install \
    "tritonclient[http,grpc]==2.73.0" kserve==0.21.0 protobuf==6.33.6
try() {
    local told
    told=$(venv/bin/python -W ignore -c "import $2" 2>&1 | tail -n 1) || true
    case $told in
    "") echo "$1: ok" ;;
    TypeError:*"duplicate symbol 'inference."*) echo "$1: TypeError, duplicate symbol" ;;
    *) echo "$1: $told" ;;
    esac
}
cat >seen <<'END'
kserve alone: ok
tritonclient.grpc alone: ok
kserve, tritonclient.http: ok
tritonclient.grpc, kserve: TypeError, duplicate symbol
kserve, tritonclient.grpc: TypeError, duplicate symbol
END
{
    try "kserve alone" kserve
    try "tritonclient.grpc alone" tritonclient.grpc
    try "kserve, tritonclient.http" "kserve, tritonclient.http"
    try "tritonclient.grpc, kserve" "tritonclient.grpc, kserve"
    try "kserve, tritonclient.grpc" "kserve, tritonclient.grpc"
} >now
cat now
diff seen now

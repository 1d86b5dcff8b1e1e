#!/usr/bin/env bash
# model-signing 1.1.1 (the reference implementation of OpenSSF Model Signing; Python 3.11): of a model that is one file, the signed
# statement names the resource `.`, and of a folder with that file alone the file by its name. Subject and digest are the same in both,
# so the two signatures look alike; but neither is taken for the other: the file's signature fails for the folder, and the folder's for
# the file, although the bytes are the same. And the file's signature holds under any other name of the file: the name is not signed.
# Where files are signed in parts, the statement's size of parts is a floating number (16.0), because the payload goes through protobuf's
# Struct, which has no whole numbers; a strict reader of JSON into an integer refuses it.
# Who signs models with this package and checks them elsewhere signs folders, and reads the size of parts as a number of any kind.
#
# Seen:
#   file: resource '.', subject 'model.onnx'
#   folder: resource 'model.onnx', subject 'folder'
#   same digests: True
#   file's signature for the file: ok
#   file's signature for the file under another name: ok
#   file's signature for the folder: refused
#   folder's signature for the file: refused
#   size of parts: 16.0
#
# (pyOpenSSL is installed beside it: 1.1.1 imports it and does not say that it needs it.)
#
# Needs python3 with venv, openssl and a package index. Exits 0 while it is so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip -q --disable-pip-version-check --no-cache-dir install model-signing==1.1.1 pyOpenSSL==26.4.0
openssl ecparam -name prime256v1 -genkey -noout -out key.pem
openssl ec -in key.pem -pubout -out key.pub 2>/dev/null
mkdir folder
echo weights >folder/model.onnx
cp folder/model.onnx model.onnx
sign() { venv/bin/model_signing sign key "$1" --private_key key.pem --signature "$2" "${@:3}" >/dev/null 2>&1; }
verify() {
    if venv/bin/model_signing verify key "$1" --public_key key.pub --signature "$2" >/dev/null 2>&1; then echo ok; else echo refused; fi
}
sign model.onnx file.sig
sign folder folder.sig
cp model.onnx renamed.bin
cat >told.py <<'END'
import base64, json
from model_signing import hashing, signing
def statement(path):
    return json.loads(base64.b64decode(json.load(open(path))["dsseEnvelope"]["payload"]))
file, folder = statement("file.sig"), statement("folder.sig")
for name, said in (("file", file), ("folder", folder)):
    print(f"{name}: resource {said['predicate']['resources'][0]['name']!r}, subject {said['subject'][0]['name']!r}")
print("same digests:", file["subject"][0]["digest"] == folder["subject"][0]["digest"])
END
cat >parts.py <<'END'
import base64, json
from model_signing import hashing, signing
config = signing.Config().use_elliptic_key_signer(private_key="key.pem")
config.set_hashing_config(hashing.Config().use_shard_serialization(shard_size=16))
config.sign("folder", "parts.sig")
payload = base64.b64decode(json.load(open("parts.sig"))["dsseEnvelope"]["payload"])
print("size of parts:", json.loads(payload)["predicate"]["serialization"]["shard_size"])
END
{
    venv/bin/python told.py
    echo "file's signature for the file: $(verify model.onnx file.sig)"
    echo "file's signature for the file under another name: $(verify renamed.bin file.sig)"
    echo "file's signature for the folder: $(verify folder file.sig)"
    echo "folder's signature for the file: $(verify folder/model.onnx folder.sig)"
    venv/bin/python -W ignore parts.py
} | tee told
cat >seen <<'END'
file: resource '.', subject 'model.onnx'
folder: resource 'model.onnx', subject 'folder'
same digests: True
file's signature for the file: ok
file's signature for the file under another name: ok
file's signature for the folder: refused
folder's signature for the file: refused
size of parts: 16.0
END
diff seen told

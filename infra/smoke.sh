#!/usr/bin/env bash
# An order from the tablet to the board, at a service that runs: log in, watch the board, order, see the event, and put everything
# back in order. What it orders is cancelled, and the table's session closed, also when something fails. The store comes
# on standard input: whatever stands on a command line, everybody on the machine can read.
#
#   infra/smoke.sh https://order.example.com <<<'{"store_id": "…", "admin": {"username": "…", "password": "…"},
#                                                 "table": {"table_number": "…", "password": "…"}}'
set -euo pipefail

readonly address=${1:?"where is the service?"} patience=10
store=$(cat)
folder=$(mktemp -d)
# The table whose session is open.
table=

at_the_end() {
    kill "$(jobs -p)" 2>/dev/null || true
    [[ -z $table ]] || ask POST "/api/admin/tables/$table/complete-session" "$staff" '{}' >/dev/null 2>&1 || true
    rm -r "$folder"
}
trap at_the_end EXIT

# ask <method> <path> <token> [<body>]
ask() {
    local arguments=(--silent --show-error --fail-with-body --max-time "$patience" --request "$1" "$address$2")
    [[ -z ${4:-} ]] || arguments+=(--header "content-type: application/json" --data @-)
    curl "${arguments[@]}" --header @<(bearer "$3") <<<"${4:-}" || { echo " (from $1 $2)" >&2; return 1; }
}

bearer() { [[ -z $1 ]] || echo "authorization: Bearer $1"; }

milliseconds() { date +%s%3N; }

# Wait until the stream has told something: seen <text>
seen() {
    local until=$((SECONDS + patience))
    until grep --quiet --fixed-strings "$1" "$folder/stream"; do
        ((SECONDS < until)) || { echo "The board has not seen $1 within $patience s." >&2; return 1; }
        sleep 0.02
    done
}

health=$(ask GET /health "") || { echo "The service is not well." >&2; exit 1; }
echo "health: $(jq --compact-output .checks <<<"$health")"

login=$(jq --compact-output '{store_id} + .admin' <<<"$store")
staff=$(ask POST /api/admin/auth/login "" "$login" | jq --raw-output .access_token)
login=$(jq --compact-output '{store_id} + .table' <<<"$store")
guest=$(ask POST /api/customer/auth/login "" "$login" | jq --raw-output .access_token)
echo "logins: ok"

# Made here: what is in the background may open it only after the first look.
: >"$folder/stream"
curl --silent --no-buffer --header @<(bearer "$staff") "$address/api/admin/orders/stream" >"$folder/stream" &
seen "event: ready"
menu=$(ask GET /api/customer/menus "$guest" | jq 'map(select(.is_available))[0].id')
[[ $menu != null ]] || { echo "The store has no menu that can be ordered." >&2; exit 1; }

begun=$(milliseconds)
order=$(ask POST /api/customer/orders "$guest" "{\"items\": [{\"menu_id\": $menu, \"quantity\": 1}]}")
answered=$(milliseconds)
id=$(jq .id <<<"$order") table=$(jq .table_id <<<"$order")
seen "\"order\":{\"id\":$id,"
echo "order: answered after $((answered - begun)) ms, on the board after $(($(milliseconds) - begun)) ms"

ask PATCH "/api/admin/orders/$id/status" "$staff" '{"status": "cancelled"}' >/dev/null
ask POST "/api/admin/tables/$table/complete-session" "$staff" '{}' >/dev/null
table=
seen "event: session.completed"
echo "table: closed"

#!/bin/sh
# The functions under `cargo lambda watch`, in the container `api` of docker-compose.yml. Each is started by a first request,
# one after the other: the first requests to two functions at once may wait for each other for ever.
set -eu

API=http://localhost:9000

ask() {
    curl --silent --output /dev/null "$@"
}

first_requests() {
    # Until it listens.
    ask --retry 60 --retry-delay 1 --retry-all-errors $API/lambda-url/system/health/live
    for function in auth menus orders tables stores; do
        ask $API/lambda-url/$function/health/live
    done
    ask $API/2015-03-31/functions/fanout/invocations --data '{"eventSource":"aws:rmq","rmqMessagesByQueue":{}}'
    for function in relay images; do
        ask $API/2015-03-31/functions/$function/invocations --data '{"Records":[]}'
    done
    # The health check waits for it.
    touch /tmp/started
}

rm -f /tmp/started
first_requests &
exec cargo lambda watch --invoke-address 0.0.0.0 --invoke-port 9000

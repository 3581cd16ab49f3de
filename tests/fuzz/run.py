"""Fuzzes the whole API: starts the service on the database that DATABASE_URL names, logs in in every role, and lets
Schemathesis loose on it with the committed API document.

Fails on an answer of 500 or above, on an answer that the document does not know, on a request that the document forbids
and the service takes, and below LEAST cases. Options are handed on to Schemathesis.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.request

HERE = pathlib.Path(__file__).parent
WORKSPACE = HERE.parent.parent
DOCUMENT = WORKSPACE / "docs" / "openapi.json"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))
# Where the service runs, and what it and the fuzzer leave behind.
FOLDER = TARGET / "fuzz"
LEAST = 10_000
STORE = "11111111-1111-4111-8111-111111111111"


def start():
    """The service on a free port, with the demo data; its output goes to a log."""
    environment = {
        **os.environ,
        "APP_ENV": "test",
        "PORT": "0",
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "JWT_PRIVATE_KEY_PATH": str(FOLDER / "keys/private.pem"),
        "JWT_PUBLIC_KEY_PATH": str(FOLDER / "keys/public.pem"),
        "LOG_LEVEL": "warn",
    }
    process = subprocess.Popen(
        [TARGET / "debug/table-order-local", "run"], cwd=FOLDER, env=environment, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if found := re.match(r"\s+API\s+(http://\S+)/api$", line):
            return process, found[1]
    sys.exit("The service does not come up.")


def follow(process, path):
    """Keep what the service says from now on, so that it never waits for a reader."""
    with open(path, "w") as log:
        for line in process.stdout:
            log.write(line)


def post(url, body, token=None):
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request))


def log_in(url):
    """A token for each role, and the ids of those who hold them."""
    table = post(f"{url}/api/customer/auth/login", {"store_id": STORE, "table_number": "1", "password": "1234"})
    admin = post(
        f"{url}/api/admin/auth/login", {"store_id": STORE, "username": "admin", "password": "admin1234"}
    )
    keeper = post(f"{url}/api/superadmin/auth/login", {"username": "superadmin", "password": "super1234"})
    spare = {}
    for role, login in (("store_admin", "admin"), ("super_admin", "superadmin")):
        # With the password that the document's example changes.
        account = {"username": f"spare-{login}", "password": "admin1234"}
        of_store = {"store_id": STORE} if role == "store_admin" else {}
        post(f"{url}/api/superadmin/admins", {**account, **of_store, "role": role}, keeper["access_token"])
        spare[role] = post(f"{url}/api/{login}/auth/login", {**account, **of_store})["access_token"]
    admins = [str(answer["admin"]["id"]) for answer in (admin, keeper)]
    tables = [str(table["table"]["id"])]
    own = {
        "PATCH /api/admin/tables/{id}": tables,
        "DELETE /api/admin/tables/{id}": tables,
        "PATCH /api/superadmin/stores/{id}": [STORE],
        "DELETE /api/superadmin/stores/{id}": [STORE],
        "PATCH /api/superadmin/admins/{id}/deactivate": admins,
        "POST /api/superadmin/admins/{id}/reset-password": admins,
    }
    return {
        "TABLE_TOKEN": table["access_token"],
        "STORE_ADMIN_TOKEN": admin["access_token"],
        "SUPER_ADMIN_TOKEN": keeper["access_token"],
        "SPARE_STORE_ADMIN_TOKEN": spare["store_admin"],
        "SPARE_SUPER_ADMIN_TOKEN": spare["super_admin"],
        "FUZZ_OWN": json.dumps(own),
        "FUZZ_HOOKS": str(HERE / "hooks.py"),
    }


def verdict(report):
    """Say what was tried, and whether it was enough."""
    cases = report["test_cases"]["generated"]
    never = [name for name, rates in report["valid_rates"].items() if not sum(rate["accepted"] for rate in rates.values())]
    print(f"\n{cases} cases on {report['operations']['tested']} operations, seed {report['seed']}.")
    if never:
        print(f"Never answered with success: {', '.join(sorted(never))}.")
    if cases < LEAST:
        print(f"Too few: {LEAST} are wanted.")
    return cases >= LEAST


def main(*options):
    FOLDER.mkdir(parents=True, exist_ok=True)
    print("Starting the service.", file=sys.stderr)
    service, url = start()
    threading.Thread(target=follow, args=(service, FOLDER / "service.log"), daemon=True).start()
    try:
        report = FOLDER / "report.json"
        report.unlink(missing_ok=True)
        schemathesis = pathlib.Path(sys.executable).with_name("schemathesis")
        command = [
            *(schemathesis, "--config-file", HERE / "schemathesis.toml", "run", DOCUMENT, "--url", url),
            *("--report-json-path", report, *options),
        ]
        status = subprocess.run(command, cwd=FOLDER, env={**os.environ, **log_in(url)}).returncode
        enough = verdict(json.loads(report.read_text()))
        alive = service.poll() is None
        if not alive:
            print(f"The service has ended by itself: see {FOLDER}/service.log.")
    finally:
        service.terminate()
        service.wait()
    return 0 if status == 0 and enough and alive else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

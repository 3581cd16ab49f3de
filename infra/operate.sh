#!/usr/bin/env bash
# What an operator does with a deployment on AWS: `make deploy ENV=dev` and the tasks beside it in the Makefile.
# docs/DEPLOYMENT.md says when to do what. Needs the AWS CLI, and, to deploy, SAM and Docker.
set -euo pipefail
cd "$(dirname "$0")/.."

task=${1:?"which task?"}
env=${2:-}
case $env in
    dev | staging | production) ;;
    *) echo "Say which deployment: make $task ENV=dev, staging or production." >&2; exit 1 ;;
esac

readonly region=ap-northeast-2 edge_region=us-east-1 name=table-order-$env parameters=/table-order/$env
export AWS_PAGER="" AWS_REGION=$region SAM_CLI_TELEMETRY=0

say() { echo "==> $*" >&2; }
fail() { echo "$*" >&2; exit 1; }

# What a stack puts out: output <stack> <name>
output() {
    aws cloudformation describe-stacks --stack-name "$1" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue"
}

# What another stack reads: remember <region> <name> <value>
remember() {
    aws ssm put-parameter --region "$1" --name "$parameters/$2" --value "$3" --type String --overwrite >/dev/null
}

# Have `migrate` do something inside the network, and print what it answers: migrate '{"task": …}'
migrate() {
    local answer failure
    answer=$(mktemp)
    # Once: a second try would run beside the first.
    failure=$(AWS_MAX_ATTEMPTS=1 aws lambda invoke --function-name "$name-migrate" --cli-binary-format raw-in-base64-out \
        --cli-read-timeout 960 --payload "$1" --query FunctionError --output text "$answer")
    if [[ $failure != None ]]; then
        jq --raw-output .errorMessage "$answer" >&2
        rm "$answer"
        return 1
    fi
    cat "$answer"
    rm "$answer"
}

# Deploy one part of an environment, as samconfig.toml describes it.
stack() {
    say "Deploying table-order-$1."
    sam deploy --config-env "$1"
}

# Have `migrate` do something, and keep what tokens are checked with, which it answers, where template.yaml reads it.
migrate_and_remember_keys() {
    local answer keys
    answer=$(migrate "$1")
    keys=$(jq --exit-status --compact-output .public_keys <<<"$answer")
    remember $region public-keys "$keys"
}

# Whether there is a database. Whatever else keeps AWS from saying so is no reason to go on without a snapshot.
database_exists() {
    local answer
    answer=$(aws rds describe-db-instances --db-instance-identifier "$name" 2>&1 >/dev/null) && return
    [[ $answer == *DBInstanceNotFound* ]] || fail "Nobody knows whether there is a database: $answer"
    return 1
}

snapshot() {
    local id
    id=$name-before-$(date -u +%Y%m%d%H%M%S)
    say "Keeping the database as it is: snapshot $id. This takes some minutes."
    aws rds create-db-snapshot --db-instance-identifier "$name" --db-snapshot-identifier "$id" >/dev/null
    aws rds wait db-snapshot-available --db-snapshot-identifier "$id"
    # A region holds 100 of them.
    for id in $(aws rds describe-db-snapshots --db-instance-identifier "$name" --snapshot-type manual --output text --query \
        "sort_by(DBSnapshots[?starts_with(DBSnapshotIdentifier, '$name-before-')], &SnapshotCreateTime)[:-20].DBSnapshotIdentifier"); do
        aws rds delete-db-snapshot --db-snapshot-identifier "$id" >/dev/null
    done
}

push_image() {
    local repository tag
    repository=$(output "$name-data" StreamRepository)
    tag=$(git rev-parse --short=12 HEAD)
    if aws ecr describe-images --repository-name "$name-stream" --image-ids imageTag="$tag" >/dev/null 2>&1; then
        say "The image of $tag is there already."
    else
        say "Building and pushing the image of streams, $tag."
        aws ecr get-login-password | docker login --username AWS --password-stdin "${repository%%/*}"
        docker build --platform linux/arm64 --target stream --tag "$repository:$tag" .
        docker push "$repository:$tag"
    fi
    remember $region stream-image "$repository:$tag"
}

# What is about to be deployed is what a commit says, and is there.
must_be_built() {
    [[ -z $(git status --porcelain) ]] || fail "There are changes that are not committed: what runs must be found again."
    local function built
    built=$(cat target/lambda/commit 2>/dev/null) || built="no commit"
    [[ $built == $(git rev-parse HEAD) ]] ||
        fail "What is in target/lambda is of $built, not of what is checked out: run \`make build\` first."
    for function in functions/*/; do
        function=$(basename "$function")
        [[ -e target/lambda/$function/bootstrap ]] || fail "target/lambda/$function is missing: run \`make build\` first."
    done
}

# Make every function another one than before. SAM makes a version of a function, which is what gets requests, only when its
# package changes: not when a variable does, or a secret, which functions read when they start.
new_release() {
    local release function
    release="$(git rev-parse HEAD) $(date -u +%Y-%m-%dT%H:%M:%SZ)"
    for function in functions/*/; do
        echo "$release" >"target/lambda/$(basename "$function")/release"
    done
}

# The names in samconfig.toml are the operator's own.
must_be_configured() {
    local ours
    ours=$(awk -v env="$env" '/^\[/ { ours = $0 ~ "^\\[" env "(-|\\.)" } ours' samconfig.toml)
    ! grep --quiet -E 'example\.com|EXAMPLE' <<<"$ours" ||
        fail "In samconfig.toml, $env still has the names of an example: docs/DEPLOYMENT.md says what to put there."
    ! grep --quiet 'SlackChannelId=NONE' <<<"$ours" || say "Nobody will be told of alarms: SlackChannelId in samconfig.toml is NONE."
}

deploy() {
    must_be_configured
    must_be_built
    say "Account $(aws sts get-caller-identity --query Account --output text), $env."
    if [[ $env == production ]] && database_exists; then snapshot; fi
    new_release
    stack "$env-data"
    say "Bringing the database and the broker up to date."
    migrate_and_remember_keys '{}'
    push_image
    stack "$env"
    remember $edge_region api-address "$(output "$name" ApiAddress)"
    remember $edge_region image-bucket-address "$(output "$name-data" ImageBucketAddress)"
    stack "$env-edge"
    stack "$env-alarms"
    say "Deployed: $(AWS_REGION=$edge_region output "$name-edge" Address). Next: make smoke ENV=$env."
}

create_superadmin() {
    local asked answer secret
    asked=$(jq --null-input --arg username "${SUPERADMIN:-superadmin}" '{task: "create_super_admin", username: $username}')
    answer=$(migrate "$asked")
    secret=$(jq --raw-output .secret <<<"$answer")
    say "The first super admin is there. Read the password, log in with it, choose another, and it is good for nothing:"
    echo "aws secretsmanager get-secret-value --region $region --secret-id $secret --query SecretString --output text"
}

# Three steps, each followed by a deployment of what checks tokens: of the commit that is checked out, as it was built.
rotate_key() {
    local step=${STEP:-}
    case $step in
        prepare | promote | retire) ;;
        *) fail "Say which step: make rotate-key ENV=$env STEP=prepare, promote or retire (docs/DEPLOYMENT.md)." ;;
    esac
    must_be_built
    migrate_and_remember_keys "{\"task\": \"${step}_key\"}"
    new_release
    stack "$env"
}

smoke() {
    local secret=table-order/$env/smoke store
    store=$(aws secretsmanager get-secret-value --secret-id "$secret" --query SecretString --output text) ||
        fail "There is no store to try it with: docs/DEPLOYMENT.md says how to make one, and to keep it as $secret."
    infra/smoke.sh "$(AWS_REGION=$edge_region output "$name-edge" Address)" <<<"$store"
}

# Restore the latest state of the database beside it, look into it, and take it away again.
restore_drill() {
    local drill=$name-drill begun=$SECONDS host
    say "Restoring the database as it is now, as $drill. This takes some 20 minutes."
    aws rds restore-db-instance-to-point-in-time --source-db-instance-identifier "$name" \
        --target-db-instance-identifier "$drill" --use-latest-restorable-time --no-multi-az \
        --db-subnet-group-name "$(describe_database DBSubnetGroup.DBSubnetGroupName)" \
        --vpc-security-group-ids "$(describe_database 'VpcSecurityGroups[0].VpcSecurityGroupId')" \
        --enable-iam-database-authentication --no-deletion-protection >/dev/null
    # shellcheck disable=SC2064 # which database it is, is known now
    trap "aws rds delete-db-instance --db-instance-identifier $drill --skip-final-snapshot >/dev/null" EXIT
    # It gives up after half an hour, which a large database may need.
    aws rds wait db-instance-available --db-instance-identifier "$drill" ||
        aws rds wait db-instance-available --db-instance-identifier "$drill"
    host=$(aws rds describe-db-instances --db-instance-identifier "$drill" \
        --query 'DBInstances[0].Endpoint.Address' --output text)
    say "Restored within $(((SECONDS - begun) / 60)) minutes. What is in it, and what is in the one in service:"
    migrate "{\"task\": \"inspect\", \"host\": \"$host\"}"
    echo
    migrate '{"task": "inspect"}'
    echo
}

# A property of the database: describe_database <path>
describe_database() {
    aws rds describe-db-instances --db-instance-identifier "$name" --query "DBInstances[0].$1" --output text
}

destroy() {
    [[ $env != production ]] || fail "Production is not taken down by a command: docs/DEPLOYMENT.md says how."
    [[ ${CONFIRM:-} == "$name" ]] ||
        fail "This removes everything but the pictures, the signing key and a last snapshot of the database. If that is meant: make destroy ENV=$env CONFIRM=$name"
    sam delete --no-prompts --stack-name "$name-alarms" --region $region
    sam delete --no-prompts --stack-name "$name-edge" --region $edge_region
    sam delete --no-prompts --stack-name "$name" --region $region
    sam delete --no-prompts --stack-name "$name-data" --region $region
    say "What stays, and how to remove it before the next deployment: docs/DEPLOYMENT.md, \"Taking it down\"."
}

case $task in
    deploy) deploy ;;
    create-superadmin) create_superadmin ;;
    rotate-key) rotate_key ;;
    smoke) smoke ;;
    restore-drill) restore_drill ;;
    destroy) destroy ;;
    *) fail "There is no task $task." ;;
esac

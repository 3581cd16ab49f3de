"""Finds resources of stacks that wait for each other: cycles.py <stack>...

CloudFormation refuses such a stack only when it is deployed. What SAM makes of a stack is what counts, and aliases wait for the
alarms of their deployments, which stand in an UpdatePolicy: linters look at neither.
"""

import logging
import os
import re
import sys
from graphlib import CycleError, TopologicalSorter

os.environ.setdefault("AWS_DEFAULT_REGION", "ap-northeast-2")
# SAM tells of features that it would be told of on AWS.
logging.disable()

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoPolicies:
    """Managed policies by their names; which ARN they have does not matter here."""

    def load(self):
        return {"AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}


def resources(path):
    with open(path) as file:
        stack = yaml_parse(file.read())
    for resource in stack["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # A bucket, as `sam package` has it.
            resource["Properties"]["CodeUri"] = "s3://bucket/function.zip"
    parameters = {name: parameter.get("Default", "x") for name, parameter in stack.get("Parameters", {}).items()}
    return transform(stack, parameters, NoPolicies())["Resources"]


def names(value):
    """What a value refers to."""
    if isinstance(value, list):
        for part in value:
            yield from names(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key == "Ref":
                yield part
            elif key == "Fn::GetAtt":
                yield part[0] if isinstance(part, list) else part.split(".")[0]
            elif key == "DependsOn":
                yield from [part] if isinstance(part, str) else part
            else:
                if key == "Fn::Sub":
                    text = part if isinstance(part, str) else part[0]
                    yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text))
                yield from names(part)


def main():
    for path in sys.argv[1:]:
        found = resources(path)
        graph = {name: {other for other in names(resource) if other in found} for name, resource in found.items()}
        try:
            list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            sys.exit(f"{path}: resources wait for each other: {' -> '.join(error.args[1])}")


main()

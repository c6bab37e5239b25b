"""Carries out AWS::LanguageExtensions on the templates with which the SAM CLI tests its own implementation of it.

    extensions.py LAMBENT FOLDER

FOLDER has test_kotlin_compatibility.py, whose lists tell which templates are refused and which are not, and the folder templates. A template beside which a file NAMEExpected.json or
NAMEResolved.json stands becomes that file. Those of the folder forEach without such a file are refused when AWS's transform refuses them. Cases that come out otherwise are in
extensions.txt, each with its reason; one that comes out right although it is listed fails the run.
"""

import ast
import json
import os
import sys

from changesets import Count, Internal, Platform, Refused

TRANSFORM = "AWS::LanguageExtensions"
# The values of parameters that the SAM CLI's tests give.
VALUES = {
    "templateWithFnLengthWithRef": {"queues": "a,b,c"},
    "toJsonStringReferringToParamWithoutDefaultValue": {"PasswordParameter": "Pa$$word"},
}
# Two files have what a macro is called with instead of a template, and one result has sections of the template among its resources.
REQUESTS = "LAMBDA_FORMAT_TEMPLATES"
COMPARED = {"templateWithDecimalNumbers": ["NullResource"]}


def lists(path):
    """Reads the lists of names of the SAM CLI's test."""
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    out = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(node.value, ast.List):
            out[target.id] = {e.value for e in node.value.elts}
    return out


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.loads(f.read().replace("$RESOURCE_ATTRIBUTE", "DeletionPolicy"))


def result(path):
    """Returns the file of a template's result, or None."""
    for ending in ("Expected", "Resolved", "_expected"):
        if os.path.exists(path[:-len(".json")] + ending + ".json"):
            return path[:-len(".json")] + ending + ".json"
    return None


def difference(name, got, want):
    """Tells how the resources, conditions and outputs of a result differ."""
    for section in ("Conditions", "Resources", "Outputs"):
        a, b = got.get(section) or {}, want.get(section) or {}
        keys = COMPARED.get(name) or sorted(set(a) | set(b))
        for key in keys if section == "Resources" or name not in COMPARED else ():
            if a.get(key) != b.get(key):
                return f"{section}.{key} is {json.dumps(a.get(key))[:300]}, want {json.dumps(b.get(key))[:300]}"
    return None


def outcome(p, stack, name, path, refuses):
    """Runs one case, and tells what is wrong with it."""
    template, want = load(path), result(path)
    if isinstance(template, dict):
        template["Transform"] = TRANSFORM
    try:
        got = p.processed(json.dumps(template), stack, VALUES.get(name, {}))
    except Refused as e:
        return None if refuses and not want else f"is refused: {e}"
    except Internal as e:
        return f"fails: {e}"
    if want:
        return difference(name, json.loads(got) if isinstance(got, str) else got, load(want))
    return "is not refused" if refuses else None


def main():
    program, root = sys.argv[1:3]
    known = lists(os.path.join(root, "test_kotlin_compatibility.py"))
    refused = known["ERROR_TEMPLATES_PASSING"] | known["ERROR_TEMPLATES_WITH_PLACEHOLDER"]
    templates = os.path.join(root, "templates")
    files = sorted(os.path.join(folder, n) for folder, _, names in os.walk(templates) for n in names if not n.endswith(("Expected.json", "Resolved.json", "_expected.json")))
    count = Count("extensions.txt")
    with Platform(program) as p:
        for number, path in enumerate(files):
            name = os.path.splitext(os.path.basename(path))[0]
            if name in known[REQUESTS]:
                continue
            case = os.path.splitext(os.path.relpath(path, templates))[0]
            count.case(case, outcome(p, f"s{number}", name, path, name in refused or case.startswith("forEach") and not result(path)))
    sys.exit(count.end("templates come out as in the SAM CLI"))


main()

"""Makes a change set of each bad template among the public fixtures of cfn-lint.

    cfnlint.py LAMBENT FOLDER

A template is refused when its change set is, or fails. Those that are not refused are in cfnlint.txt, each with its reason; one that is refused although it is listed fails the run,
and so does an internal failure.
"""

import os
import sys

from changesets import Count, Internal, Platform, Refused


def main():
    program, root = sys.argv[1:3]
    files = sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names if name.endswith((".yaml", ".json")))
    count = Count("cfnlint.txt")
    with Platform(program) as p:
        for number, name in enumerate(files):
            with open(os.path.join(root, name), encoding="utf-8") as f:
                text = f.read()
            failure = None
            try:
                p.processed(text, f"s{number}")
                failure = "is not refused"
            except Refused as e:
                if len(sys.argv) > 3:
                    print(f"{name}: {e}", flush=True)
            except Internal as e:
                count.unmet.pop(name, None)  # nothing excuses it
                failure = str(e)
            count.case(name, failure)
    sys.exit(count.end("bad templates are refused"))


main()

"""rclone, as a program of its own behind an HTTP proxy that knows the names of buckets. Prints ok."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

given = json.load(sys.stdin)
folder = pathlib.Path(tempfile.mkdtemp())
# rclone has keys as paths, which it cleans, and control characters as pictures of them.
KEYS = [k for k in given["keys"] if len(k) < 200 and "\t" not in k and not k.endswith("/") and not k.startswith("/") and not {"", ".", ".."} & set(k.split("/"))]


def rclone(*args, stdin=b"", fails=False):
    """Runs a command and returns what it printed."""
    done = subprocess.run([os.environ["RCLONE"], "--config", folder / "settings", "--ca-cert", given["ca"], "--retries", "1", "--low-level-retries", "1", *args],
                          input=stdin, capture_output=True, env={**os.environ, "HTTP_PROXY": os.environ["PROXY"], "HTTPS_PROXY": os.environ["PROXY"]})
    if bool(done.returncode) != fails:
        raise SystemExit(f"{door}: rclone {args}: {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout


def check(bucket):
    at = f"lambent:{bucket}"
    rclone("mkdir", at)
    for key in KEYS:
        rclone("rcat", f"{at}/{key}", stdin=key.encode())
    listed = sorted(o["Path"] for o in json.loads(rclone("lsjson", "--recursive", "--files-only", at)))
    assert listed == sorted(KEYS), listed
    for key in KEYS:
        assert rclone("cat", f"{at}/{key}") == key.encode(), key
    tree = folder / bucket
    (tree / "d 🦉").mkdir(parents=True)
    (tree / "d 🦉" / "a+b").write_text("x")
    (tree / "large").write_bytes(os.urandom(1 << 20) * 12)
    rclone("sync", tree, f"{at}/tree", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    rclone("check", "--download", tree, f"{at}/tree")
    rclone("moveto", f"{at}/tree/large", f"{at}/moved", "--s3-copy-cutoff", "5M")
    rclone("check", tree, f"{at}/tree", fails=True)
    assert b"http" in rclone("link", f"{at}/moved")
    rclone("rmdir", at, fails=True)
    rclone("purge", at)


for n, door in enumerate(given["doors"]):
    (folder / "settings").write_text(
        # With AWS as provider rclone puts the bucket in the host, whatever the settings say. Its own default of ACLs is refused by buckets without, as on AWS.
        f"[lambent]\ntype = s3\nprovider = {'Other' if door['style'] == 'path' else 'AWS'}\nacl = bucket-owner-full-control\nbucket_acl = private\n"
        f"access_key_id = {given['key']}\nsecret_access_key = {given['secret']}\nregion = us-east-1\n"
        f"endpoint = {door['url']}\nforce_path_style = {str(door['style'] == 'path').lower()}\n")
    check(f"rclone-{n}")
print("ok")

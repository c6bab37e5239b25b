"""Uses S3 Control through boto3: the public access block of an account, tags, access points, and those of many regions.

Reads {"url": URL, "key": ID, "secret": SECRET, "account": ID} from standard input, prints one line per fault and a count.
"""

import json
import socket
import sys

import boto3
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.crt.auth import CrtS3SigV4AsymAuth
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

resolve = socket.getaddrinfo


def local(host, *args, **kwargs):
    """Resolves names, as DNS would."""
    return resolve("127.0.0.1" if host.endswith(".localhost") else host, *args, **kwargs)


socket.getaddrinfo = local

BLOCK = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
faults = []
checks = 0


def want(what, got, expected):
    global checks
    checks += 1
    if got != expected:
        faults.append(f"FAULT {what}: {got!r}, want {expected!r}")


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return ""


def multi_region(given, control, s3):
    """Reads through a multi-region access point, whose requests are signed with Version 4a by AWS's own runtime."""
    account = given["account"]
    west = boto3.client("s3", endpoint_url=given["url"], region_name="eu-west-1", aws_access_key_id=given["key"], aws_secret_access_key=given["secret"])
    west.create_bucket(Bucket="controlled-west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="controlled", Key="a b", Body=b"east")
    s3.put_object(Bucket="controlled-west", Key="a b", Body=b"west")
    details = {"Name": "everywhere", "Regions": [{"Bucket": "controlled"}, {"Bucket": "controlled-west"}]}
    token = control.create_multi_region_access_point(AccountId=account, ClientToken="t", Details=details)["RequestTokenARN"]
    done = control.describe_multi_region_access_point_operation(AccountId=account, RequestTokenARN=token)["AsyncOperation"]
    want("request", (done["RequestStatus"], done["RequestParameters"]["CreateMultiRegionAccessPointRequest"]), ("SUCCEEDED", details))
    want("the request again", control.create_multi_region_access_point(AccountId=account, ClientToken="t", Details=details)["RequestTokenARN"], token)
    alias = control.get_multi_region_access_point(AccountId=account, Name="everywhere")["AccessPoint"]["Alias"]
    arn = f"arn:aws:s3::{account}:accesspoint/{alias}"

    def read(secret):
        url = given["url"].replace("127.0.0.1", alias + ".accesspoint.s3-global.localhost") + "/a%20b"
        request = AWSRequest(method="GET", url=url)
        CrtS3SigV4AsymAuth(Credentials(given["key"], secret), "s3", "*").add_auth(request)
        response = URLLib3Session().send(request.prepare())
        return response.status_code, response.content if response.status_code == 200 else b""

    want("read in the region of the platform", read(given["secret"]), (200, b"east"))
    want("read with another secret", read("another"), (403, b""))
    control.submit_multi_region_access_point_routes(AccountId=account, Mrap=arn, RouteUpdates=[{"Region": "us-east-1", "TrafficDialPercentage": 0}])
    want("routes", {r["Region"]: r["TrafficDialPercentage"] for r in control.get_multi_region_access_point_routes(AccountId=account, Mrap=arn)["Routes"]}, {"us-east-1": 0, "eu-west-1": 100})
    want("read after a fail-over", read(given["secret"]), (200, b"west"))
    control.delete_multi_region_access_point(AccountId=account, ClientToken="d", Details={"Name": "everywhere"})
    want("read of what is gone", read(given["secret"])[0], 404)


def main():
    given = json.load(sys.stdin)
    shared = dict(region_name="us-east-1", aws_access_key_id=given["key"], aws_secret_access_key=given["secret"])
    # The client puts the account in front of the host.
    control = boto3.client("s3control", endpoint_url=given["url"].replace("127.0.0.1", "s3-control.us-east-1.localhost"), **shared)
    s3 = boto3.client("s3", endpoint_url=given["url"], **shared)
    account = given["account"]
    s3.create_bucket(Bucket="controlled")

    want("no block", code(control.get_public_access_block, AccountId=account), "NoSuchPublicAccessBlockConfiguration")
    control.put_public_access_block(AccountId=account, PublicAccessBlockConfiguration=dict.fromkeys(BLOCK, True))
    want("block", control.get_public_access_block(AccountId=account)["PublicAccessBlockConfiguration"], dict.fromkeys(BLOCK, True))
    s3.delete_public_access_block(Bucket="controlled")
    public = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::controlled/*"}]})
    want("public policy", code(s3.put_bucket_policy, Bucket="controlled", Policy=public), "AccessDenied")
    control.delete_public_access_block(AccountId=account)
    want("public policy without block", code(s3.put_bucket_policy, Bucket="controlled", Policy=public), "")
    want("another account", code(control.get_public_access_block, AccountId="123456789012"), "AccessDenied")

    point = control.create_access_point(AccountId=account, Name="door", Bucket="controlled", Tags=[{"Key": "a", "Value": "1"}])
    want("status without policy", code(control.get_access_point_policy_status, AccountId=account, Name="door"), "NoSuchAccessPointPolicy")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "s3:GetObject", "Resource": point["AccessPointArn"] + "/object/*"}]})
    control.put_access_point_policy(AccountId=account, Name="door", Policy=policy)
    want("policy", control.get_access_point_policy(AccountId=account, Name="door")["Policy"], policy)
    want("status", control.get_access_point_policy_status(AccountId=account, Name="door")["PolicyStatus"], {"IsPublic": False})
    for arn in (point["AccessPointArn"], "arn:aws:s3:::controlled"):
        control.tag_resource(AccountId=account, ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
        tags = {t["Key"]: t["Value"] for t in control.list_tags_for_resource(AccountId=account, ResourceArn=arn)["Tags"]}
        want(f"tags of {arn}", tags, {"a": "3", "b": "2"})
        control.untag_resource(AccountId=account, ResourceArn=arn, TagKeys=["a"])
        want(f"tags left of {arn}", control.list_tags_for_resource(AccountId=account, ResourceArn=arn)["Tags"], [{"Key": "b", "Value": "2"}])
    want("tags of the bucket", s3.get_bucket_tagging(Bucket="controlled")["TagSet"], [{"Key": "b", "Value": "2"}])
    control.delete_access_point(AccountId=account, Name="door")
    multi_region(given, control, s3)
    print("\n".join([*faults, f"{checks} checks, {len(faults)} faults"]))
    sys.exit(bool(faults))


main()

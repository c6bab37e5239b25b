"""Uses S3 Access Grants through boto3: somebody without any permission on a bucket gets credentials for what is granted to him there, and does nothing else with them.

Reads {"url": URL, "key": ID, "secret": SECRET, "account": ID} from standard input, prints one line per fault and a count.
"""

import json
import socket
import sys

import boto3
from botocore.exceptions import ClientError

resolve = socket.getaddrinfo


def local(host, *args, **kwargs):
    """Resolves names, as DNS would."""
    return resolve("127.0.0.1" if host.endswith(".localhost") else host, *args, **kwargs)


socket.getaddrinfo = local

BUCKET = "granted"
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


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})


def make_role(iam, account, instance):
    """Makes the role of the location, which only sessions of the instance can use, as AWS's guide has it."""
    service = {"Service": "access-grants.s3.amazonaws.com"}
    source = {"StringEquals": {"aws:SourceAccount": account, "aws:SourceArn": instance}}
    iam.create_role(RoleName="data", AssumeRolePolicyDocument=document(
        {"Principal": service, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"], "Condition": source}))
    iam.put_role_policy(RoleName="data", PolicyName="data", PolicyDocument=document(
        {"Action": "s3:*", "Resource": "*", "Condition": {"ArnEquals": {"s3:AccessGrantsInstanceArn": instance}}}))
    return f"arn:aws:iam::{account}:role/data"


def main():
    given = json.load(sys.stdin)
    account = given["account"]

    def clients(key, secret, token=None):
        shared = dict(region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)
        # The client puts the account in front of the host.
        control = boto3.client("s3control", endpoint_url=given["url"].replace("127.0.0.1", "s3-control.us-east-1.localhost"), **shared)
        return control, boto3.client("s3", endpoint_url=given["url"], **shared), boto3.client("iam", endpoint_url=given["url"], **shared)

    control, s3, iam = clients(given["key"], given["secret"])
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="2026/a", Body=b"hello")
    s3.put_object(Bucket=BUCKET, Key="private", Body=b"secret")
    want("no instance", code(control.list_access_grants, AccountId=account), "AccessGrantsInstanceNotExistsError")
    instance = control.create_access_grants_instance(AccountId=account, Tags=[{"Key": "team", "Value": "a"}])["AccessGrantsInstanceArn"]
    want("tags", control.list_tags_for_resource(AccountId=account, ResourceArn=instance)["Tags"], [{"Key": "team", "Value": "a"}])
    want("instance of the prefix", control.get_access_grants_instance_for_prefix(AccountId=account, S3Prefix=f"s3://{BUCKET}/2026")["AccessGrantsInstanceArn"], instance)
    want("role that is not there", code(control.create_access_grants_location, AccountId=account, LocationScope="s3://", IAMRoleArn=f"arn:aws:iam::{account}:role/none"), "InvalidIamRole")
    role = make_role(iam, account, instance)
    location = control.create_access_grants_location(AccountId=account, LocationScope=f"s3://{BUCKET}", IAMRoleArn=role)["AccessGrantsLocationId"]
    user = iam.create_user(UserName="ann")["User"]["Arn"]
    grant = control.create_access_grant(AccountId=account, AccessGrantsLocationId=location, AccessGrantsLocationConfiguration={"S3SubPrefix": "2026/*"},
                                        Grantee={"GranteeType": "IAM", "GranteeIdentifier": user}, Permission="READ")
    want("scope", grant["GrantScope"], f"s3://{BUCKET}/2026/*")

    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ann, ann_s3, _ = clients(key["AccessKeyId"], key["SecretAccessKey"])
    asked = dict(AccountId=account, Target=f"s3://{BUCKET}/2026/a*", Permission="READ")
    want("without s3:GetDataAccess", code(ann.get_data_access, **asked), "AccessDenied")
    iam.put_user_policy(UserName="ann", PolicyName="ask", PolicyDocument=document({"Action": ["s3:GetDataAccess", "s3:ListCallerAccessGrants"], "Resource": instance}))
    want("her grants", ann.list_caller_access_grants(AccountId=account)["CallerAccessGrantsList"], [{"Permission": "READ", "GrantScope": grant["GrantScope"], "ApplicationArn": "ALL"}])
    want("her own rights", code(ann_s3.get_object, Bucket=BUCKET, Key="2026/a"), "AccessDenied")
    want("more than is granted", code(ann.get_data_access, **{**asked, "Permission": "WRITE"}), "AccessDenied")
    want("longer than the role allows", code(ann.get_data_access, DurationSeconds=7200, **asked), "StsValidationError")

    access = ann.get_data_access(**asked)
    want("matched", access["MatchedGrantTarget"], grant["GrantScope"])
    want("grantee", access["Grantee"], {"GranteeType": "IAM", "GranteeIdentifier": user})
    c = access["Credentials"]
    _, reader, _ = clients(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
    want("read", reader.get_object(Bucket=BUCKET, Key="2026/a")["Body"].read(), b"hello")
    want("list", [o["Key"] for o in reader.list_objects_v2(Bucket=BUCKET, Prefix="2026/")["Contents"]], ["2026/a"])
    want("read elsewhere", code(reader.get_object, Bucket=BUCKET, Key="private"), "AccessDenied")
    want("list all", code(reader.list_objects_v2, Bucket=BUCKET), "AccessDenied")
    want("write", code(reader.put_object, Bucket=BUCKET, Key="2026/b", Body=b"x"), "AccessDenied")

    control.delete_access_grant(AccountId=account, AccessGrantId=grant["AccessGrantId"])
    want("without the grant", code(ann.get_data_access, **asked), "AccessDenied")
    control.delete_access_grants_location(AccountId=account, AccessGrantsLocationId=location)
    control.delete_access_grants_instance(AccountId=account)
    print("\n".join([*faults, f"{checks} checks, {len(faults)} faults"]))
    sys.exit(bool(faults))


main()

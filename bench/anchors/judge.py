"""An S3 client that is not ours (boto3): makes a bucket with Object Lock, and tries what must not work.

Reads S3_ENDPOINT, S3_KEY, S3_SECRET and S3_BUCKET; prints one JSON object.
"""

import datetime
import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BUCKET = os.environ["S3_BUCKET"]


def client():
    return boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        aws_access_key_id=os.environ["S3_KEY"],
        aws_secret_access_key=os.environ["S3_SECRET"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def create(s3):
    s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    return {"created": BUCKET}


def plain(s3):
    """A bucket without versions and Object Lock."""
    s3.create_bucket(Bucket=f"{BUCKET}-plain")
    return {"created": f"{BUCKET}-plain"}


def versions(s3):
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        found += page.get("Versions", [])
    return [one for one in found if "/checkpoints/" in one["Key"]]


def attack(s3):
    """What was tried on the oldest anchor, and whether it is as it was afterwards."""
    target = min(versions(s3), key=lambda one: one["Key"])
    key, version = target["Key"], target["VersionId"]
    this = {"Bucket": BUCKET, "Key": key, "VersionId": version}
    before = s3.get_object(**this)["Body"].read()
    until = s3.head_object(**this)["ObjectLockRetainUntilDate"]
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
    tried = {
        "deleteVersion": lambda: s3.delete_object(**this),
        "deleteVersionBypassing": lambda: s3.delete_object(BypassGovernanceRetention=True, **this),
        "shortenRetention": lambda: s3.put_object_retention(
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": soon}, **this
        ),
        "downgradeRetention": lambda: s3.put_object_retention(
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
            BypassGovernanceRetention=True,
            **this,
        ),
        "replaceConditionally": lambda: s3.put_object(
            Bucket=BUCKET, Key=key, Body=b"{}", IfNoneMatch="*"
        ),
        "deleteBucket": lambda: s3.delete_bucket(Bucket=BUCKET),
        "suspendVersioning": lambda: s3.put_bucket_versioning(
            Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}
        ),
    }
    refused = {}
    for name, attempt in tried.items():
        try:
            attempt()
            refused[name] = False
        except (ClientError, BotoCoreError) as error:
            refused[name] = str(error)[:160]
    # Whoever may write can put a newer version before it: the older one stays, and an audit sees both.
    newer = s3.put_object(Bucket=BUCKET, Key=key, Body=b"{}")["VersionId"]
    after = s3.get_object(**this)["Body"].read()
    still = s3.head_object(**this)
    s3.delete_object(Bucket=BUCKET, Key=key, VersionId=newer)
    return {
        "key": key,
        "refused": refused,
        "unchanged": before == after,
        "mode": still.get("ObjectLockMode"),
        "retainedUntil": still["ObjectLockRetainUntilDate"].isoformat(),
        "sameRetention": still["ObjectLockRetainUntilDate"] == until,
    }


def replace(s3):
    """Puts a newer version before the oldest anchor, and leaves it there."""
    target = min(versions(s3), key=lambda one: one["Key"])
    s3.put_object(Bucket=BUCKET, Key=target["Key"], Body=b"{}")
    return {"key": target["Key"]}


def hide(s3):
    """Hides the newest anchor behind a delete marker."""
    target = max(versions(s3), key=lambda one: one["Key"])
    s3.delete_object(Bucket=BUCKET, Key=target["Key"])
    return {"key": target["Key"]}


if __name__ == "__main__":
    actions = {each.__name__: each for each in (create, plain, attack, replace, hide)}
    print(json.dumps(actions[sys.argv[1]](client())))

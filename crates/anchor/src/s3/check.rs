//! Whether a bucket keeps what is written to it: asked of its settings, and tried.

use http::{Method, StatusCode};

use super::http::{Reply, Request};
use super::{S3, wire};
use crate::Error;

pub(super) async fn run(bucket: &S3, probe: &str) -> Result<(), Error> {
    let name = &bucket.0.config.bucket;
    let reply = ask(bucket, "versioning", "s3:GetBucketVersioning").await?;
    let versioning: wire::Versioning = wire::read(&reply.body)?;
    if versioning.status.as_deref() != Some("Enabled") {
        return Err(Error::Unfit(format!(
            "bucket {name} keeps no versions: turn versioning on (aws s3api put-bucket-versioning)"
        )));
    }
    let locked = match ask(bucket, "object-lock", "s3:GetBucketObjectLockConfiguration").await {
        Ok(reply) => wire::read::<wire::ObjectLock>(&reply.body)?.object_lock_enabled,
        Err(Error::Unfit(text)) if text.contains("ObjectLockConfigurationNotFoundError") => None,
        Err(other) => return Err(other),
    };
    if locked.as_deref() != Some("Enabled") {
        return Err(Error::Unfit(format!(
            "bucket {name} has no Object Lock: make a new bucket with it (aws s3api create-bucket \
             --object-lock-enabled-for-bucket)"
        )));
    }
    try_out(bucket, name, probe).await
}

async fn ask(bucket: &S3, setting: &str, right: &str) -> Result<Reply, Error> {
    let reply = bucket.send(Request::get("", &[(setting, "")])).await?;
    match reply.status {
        StatusCode::OK => Ok(reply),
        StatusCode::FORBIDDEN => Err(Error::Unfit(format!(
            "the access key may not ask for the bucket's settings ({right}), or its secret is \
             wrong: the storage answers {}",
            reply.refusal().code
        ))),
        StatusCode::NOT_FOUND if reply.refusal().code == "NoSuchBucket" => {
            Err(Error::Unfit(format!("there is no bucket {}", bucket.0.config.bucket)))
        }
        _ => Err(reply.error(setting)),
    }
}

/// Writes a small object for good, the first time; the second attempt must be refused each time.
async fn try_out(bucket: &S3, name: &str, probe: &str) -> Result<(), Error> {
    let bytes = b"{\"format\":\"deed-anchor-probe/1\"}".to_vec();
    let first = bucket.create(probe, bytes.clone()).await?;
    match first.status {
        StatusCode::OK => {}
        StatusCode::PRECONDITION_FAILED => return held(bucket, name, probe).await,
        StatusCode::FORBIDDEN => {
            return Err(Error::Unfit(format!(
                "the access key may not write under retention (s3:PutObject, \
                 s3:PutObjectRetention): the storage answers {}",
                first.refusal().code
            )));
        }
        _ => return Err(first.error("an object under COMPLIANCE retention")),
    }
    let second = bucket.create(probe, bytes).await?;
    if second.status != StatusCode::PRECONDITION_FAILED {
        return Err(Error::Unfit(format!(
            "the storage does not honour If-None-Match (it answered {} where 412 belongs): an \
             anchor could be written over",
            second.status.as_u16()
        )));
    }
    held(bucket, name, probe).await
}

async fn held(bucket: &S3, name: &str, probe: &str) -> Result<(), Error> {
    let key = bucket.full(probe);
    let request = Request { method: Method::HEAD, ..Request::get(&key, &[]) };
    let reply = bucket.send(request).await?;
    if reply.status != StatusCode::OK {
        return Err(reply.error(&key));
    }
    if reply.header("x-amz-object-lock-mode") == Some("COMPLIANCE") {
        return Ok(());
    }
    Err(Error::Unfit(format!(
        "bucket {name} does not show the retention of {key}: it does not keep it, or the access key \
         lacks s3:GetObjectRetention"
    )))
}

//! Where copies of the checkpoints are kept.

use super::super::kind::Kind;
use super::super::variable::Process::{Audit, Up, Worker};
use super::super::variable::{Concern, Default, Process, Variable};
use super::BASE;

/// Processes that reach the anchors.
const ANCHORING: &[Process] = &[Worker, Audit, Up];

pub(crate) static ANCHOR_DIRECTORY: Variable = Variable {
    name: "ANCHOR_DIRECTORY",
    concern: Concern::Anchors,
    kind: Kind::Path,
    default: Default::Otherwise("no folder"),
    default_in_up: Some(Default::Otherwise("`anchors` in the data folder")),
    used_by: ANCHORING,
    about: "Folder that a copy of every checkpoint is written to. It must exist, outside of what \
            the database's administrators can change.",
};

pub(crate) static ANCHOR_S3_BUCKET: Variable = Variable {
    name: "ANCHOR_S3_BUCKET",
    concern: Concern::Anchors,
    kind: Kind::Token(63),
    default: Default::Otherwise("no bucket"),
    used_by: ANCHORING,
    about: "Bucket that a copy of every checkpoint is written to, under Object Lock in COMPLIANCE \
            mode. It must have been made with Object Lock (docs/operations/anchors.md).",
    ..BASE
};

pub(crate) static ANCHOR_S3_ENDPOINT: Variable = Variable {
    name: "ANCHOR_S3_ENDPOINT",
    concern: Concern::Anchors,
    kind: Kind::HttpUrl,
    default: Default::Otherwise("AWS, in the region"),
    used_by: ANCHORING,
    about: "The service that has the bucket, when it is not AWS.",
    ..BASE
};

pub(crate) static ANCHOR_S3_REGION: Variable = Variable {
    name: "ANCHOR_S3_REGION",
    concern: Concern::Anchors,
    kind: Kind::Token(63),
    default: Default::Value("us-east-1"),
    used_by: ANCHORING,
    about: "Region of the bucket. Services other than AWS mostly take any.",
    ..BASE
};

pub(crate) static ANCHOR_S3_PATH_STYLE: Variable = Variable {
    name: "ANCHOR_S3_PATH_STYLE",
    concern: Concern::Anchors,
    kind: Kind::Choice(&["true", "false"]),
    default: Default::Otherwise("`true` with an endpoint, else `false`"),
    used_by: ANCHORING,
    about: "Whether the bucket's name goes into the path of a URL, not into its host.",
    ..BASE
};

pub(crate) static ANCHOR_S3_PREFIX: Variable = Variable {
    name: "ANCHOR_S3_PREFIX",
    concern: Concern::Anchors,
    kind: Kind::Prefix,
    default: Default::Value("deed/"),
    used_by: ANCHORING,
    about: "What every key in the bucket begins with.",
    ..BASE
};

pub(crate) static ANCHOR_S3_RETENTION_DAYS: Variable = Variable {
    name: "ANCHOR_S3_RETENTION_DAYS",
    concern: Concern::Anchors,
    kind: Kind::Count(1, 36_500),
    default: Default::Value("365"),
    used_by: ANCHORING,
    about: "Days for which an anchor can neither be deleted nor replaced, by anybody. A longer time \
            holds for what is written from then on.",
    ..BASE
};

pub(crate) static ANCHOR_S3_ACCESS_KEY_ID: Variable = Variable {
    name: "ANCHOR_S3_ACCESS_KEY_ID",
    concern: Concern::Anchors,
    kind: Kind::Credential,
    default: Default::Otherwise("none; needed with a bucket"),
    used_by: ANCHORING,
    about: "Access key of an account that may do no more than docs/operations/anchors.md lists.",
    ..BASE
};

pub(crate) static ANCHOR_S3_SECRET_ACCESS_KEY: Variable = Variable {
    name: "ANCHOR_S3_SECRET_ACCESS_KEY",
    concern: Concern::Anchors,
    kind: Kind::Credential,
    default: Default::Otherwise("none; needed with a bucket"),
    used_by: ANCHORING,
    about: "Its secret.",
    ..BASE
};

pub(crate) static ANCHOR_S3_TLS_CA_FILE: Variable = Variable {
    name: "ANCHOR_S3_TLS_CA_FILE",
    concern: Concern::Anchors,
    kind: Kind::Path,
    default: Default::Otherwise("the system's certificate authorities"),
    used_by: ANCHORING,
    about: "PEM file of the certificate authorities that may vouch for the service.",
    ..BASE
};

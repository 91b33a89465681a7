//! The XML of S3, as far as anchors need it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// Answer of `GET /?versions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Versions {
    #[serde(default)]
    pub(super) is_truncated: bool,
    pub(super) next_key_marker: Option<String>,
    pub(super) next_version_id_marker: Option<String>,
    /// Of one key, the newest first.
    #[serde(default, rename = "Version")]
    pub(super) versions: Vec<Version>,
    #[serde(default, rename = "DeleteMarker")]
    pub(super) delete_markers: Vec<Version>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Version {
    pub(super) key: String,
    pub(super) version_id: String,
}

/// Answer of `GET /?versioning`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Versioning {
    pub(super) status: Option<String>,
}

/// Answer of `GET /?object-lock`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ObjectLock {
    pub(super) object_lock_enabled: Option<String>,
}

/// An error.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Error::Unavailable(format!("the storage gave an answer that cannot be read: {error}"))
    };
    let text = std::str::from_utf8(body).map_err(|error| unreadable(&error))?;
    quick_xml::de::from_str(text).map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_marks_may_alternate() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<Version><Key>a</Key><VersionId>2</VersionId><Size>1</Size></Version>
<DeleteMarker><Key>a</Key><VersionId>3</VersionId></DeleteMarker>
<Version><Key>b</Key><VersionId>1</VersionId></Version><IsTruncated>true</IsTruncated>
<NextKeyMarker>b</NextKeyMarker></ListVersionsResult>"#;
        let found: Versions = read(xml.as_bytes()).expect("XML");
        assert!(found.is_truncated);
        assert_eq!((found.versions.len(), found.delete_markers.len()), (2, 1));
        assert_eq!(found.next_key_marker.as_deref(), Some("b"));
        assert_eq!(found.next_version_id_marker, None);
        let off = "<VersioningConfiguration/>";
        assert_eq!(read::<Versioning>(off.as_bytes()).expect("XML").status, None);
        assert!(read::<Versioning>(b"<html>").is_err());
    }
}

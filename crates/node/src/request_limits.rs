//! What is refused before it gets a place in the log: sizes beyond [`limits`].

use zooid_model::{Acl, ErrorCode, WriteOp, limits};

/// Checks an operation against the limits.
///
/// # Errors
/// What the client is told. It costs no zxid.
pub(crate) fn check(op: &WriteOp) -> Result<(), ErrorCode> {
    match op {
        WriteOp::Create(create) => check_path(&create.path).and_then(|()| check_acl(&create.acl)),
        WriteOp::SetAcl { path, acl, .. } => check_path(path).and_then(|()| check_acl(acl)),
        WriteOp::Delete { path, .. }
        | WriteOp::SetData { path, .. }
        | WriteOp::Check { path, .. } => check_path(path),
        WriteOp::Multi(ops) if ops.len() > limits::MULTI_OPS => Err(ErrorCode::BadArguments),
        WriteOp::Multi(ops) => ops.iter().try_for_each(check),
    }
}

/// Whether the tree may need more room afterwards.
pub(crate) fn grows(op: &WriteOp) -> bool {
    match op {
        WriteOp::Delete { .. } | WriteOp::Check { .. } => false,
        WriteOp::Multi(ops) => ops.iter().any(grows),
        WriteOp::Create(_) | WriteOp::SetData { .. } | WriteOp::SetAcl { .. } => true,
    }
}

fn check_path(path: &str) -> Result<(), ErrorCode> {
    let names = path.bytes().filter(|byte| *byte == b'/').count();
    let fits = path.len() <= limits::PATH_BYTES && names <= limits::PATH_COMPONENTS;
    fits.then_some(()).ok_or(ErrorCode::BadArguments)
}

fn check_acl(acl: &[Acl]) -> Result<(), ErrorCode> {
    let fits = |entry: &Acl| entry.id.scheme.len() + entry.id.id.len() <= limits::ACL_ID_BYTES;
    let all_fit = acl.len() <= limits::ACL_ENTRIES && acl.iter().all(fits);
    all_fit.then_some(()).ok_or(ErrorCode::InvalidAcl)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delete(path: alloc::string::String) -> WriteOp {
        WriteOp::Delete { path, version: -1 }
    }

    #[test]
    fn sizes_beyond_the_limits_are_refused() {
        let deep = "/a".repeat(limits::PATH_COMPONENTS);
        assert_eq!(check(&delete(deep.clone())), Ok(()));
        assert_eq!(check(&delete(deep + "/a")), Err(ErrorCode::BadArguments));
        let long = "/".to_owned() + &"a".repeat(limits::PATH_BYTES);
        assert_eq!(check(&delete(long.clone())), Err(ErrorCode::BadArguments));
        let many = WriteOp::Multi(alloc::vec![delete("/a".into()); limits::MULTI_OPS + 1]);
        assert_eq!(check(&many), Err(ErrorCode::BadArguments));
        assert_eq!(check(&WriteOp::Multi(alloc::vec![delete(long)])), Err(ErrorCode::BadArguments));
        let acl = alloc::vec![Acl::open().remove(0); limits::ACL_ENTRIES + 1];
        let set = WriteOp::SetAcl { path: "/a".into(), acl, version: -1 };
        assert_eq!(check(&set), Err(ErrorCode::InvalidAcl));
    }

    use std::borrow::ToOwned;
}

//! The limit of open files (`RLIMIT_NOFILE`): each connection is one.

/// Raises this process's limit to its hard limit, and returns it. `None` if the system has no such limit or does not
/// allow it.
pub(crate) fn raise() -> Option<u64> {
    #[cfg(unix)]
    return rlimit::increase_nofile_limit(u64::MAX).ok();
    #[cfg(not(unix))]
    None
}

/// The hard limit, to which [`raise`] raises.
pub(crate) fn hard_limit() -> Option<u64> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_hard().ok();
    #[cfg(not(unix))]
    None
}

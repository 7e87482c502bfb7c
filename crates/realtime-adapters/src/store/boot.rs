//! Which start of the kernel this is.

use std::fs;

/// The id of this start of the kernel (`random/boot_id` in proc(5)), which changes with each; `None` where there is none.
///
/// The same id means that the kernel's page cache was not lost: everything that was written is still there.
pub(super) fn id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

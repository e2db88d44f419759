//! Standard output that was closed before the program began: Rust's runtime then opens /dev/null in its place, for
//! reading and writing, and whatever is printed there is lost without an error. Checked only where printed rows count as
//! exported: a monitor that wants nothing but the exit code of `status` may open /dev/null the same way.

use crate::error::{Error, Kind, Result};
use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};

/// Errors: 73 if standard output is closed. Redirected to /dev/null by a shell or by systemd it is open for writing
/// only, and fine.
pub(crate) fn check_open() -> Result<()> {
    let out = std::io::stdout();
    let (Ok(found), Ok(null)) = (fstat(&out), stat("/dev/null")) else {
        return Ok(());
    };
    let flags = fcntl_getfl(&out).unwrap_or(OFlags::WRONLY);
    if found.st_rdev == null.st_rdev
        && found.st_ino == null.st_ino
        && flags & OFlags::ACCMODE == OFlags::RDWR
    {
        return Err(Error::new(
            Kind::Output,
            "cannot write to standard output: it is closed",
        )
        .safe("nothing was printed and no token was spent")
        .next("start the program with its standard output open, or redirected with > FILE"));
    }
    Ok(())
}

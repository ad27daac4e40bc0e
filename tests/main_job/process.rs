//! The program as a child process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use tempfile::TempDir;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The program, which cargo builds for every test run of the root package.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples/transport");
    assert!(binary.is_file(), "{}: build it: cargo build --example transport", binary.display());
    binary
}

/// What a run that has ended left.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program until it ends by itself.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Server::spawn(arguments).wait()
}

/// A running program. Dropping it kills it.
pub(crate) struct Server {
    /// Where it makes the folders that it was not given.
    _temporary: TempDir,
    child: Child,
    lines: Receiver<String>,
    stdout: String,
    stderr: Option<JoinHandle<String>>,
    addresses: Vec<SocketAddr>,
}

impl Server {
    fn spawn(arguments: &[&str]) -> Self {
        raise_descriptors();
        let temporary = TempDir::new().unwrap();
        let mut child = Command::new(binary())
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let pipe = BufReader::new(child.stderr.take().unwrap());
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            for line in pipe.lines().map_while(Result::ok) {
                // A test that fails shows what the program had to say.
                eprintln!("transport says: {line}");
                text.push_str(&line);
                text.push('\n');
            }
            text
        });
        let (stdout, addresses) = (String::new(), Vec::new());
        Self { _temporary: temporary, child, lines, stdout, stderr: Some(stderr), addresses }
    }

    /// Starts the program, which must say within [`PATIENCE`] where it listens, `count` times.
    pub(crate) fn listening(count: usize, arguments: &[&str]) -> Self {
        let mut server = Self::spawn(arguments);
        let until = Instant::now() + PATIENCE;
        while server.addresses.len() < count {
            let rest = until.saturating_duration_since(Instant::now());
            let Ok(line) = server.lines.recv_timeout(rest) else {
                let ended = server.wait();
                panic!("it does not listen: {}{}", ended.stdout, ended.stderr);
            };
            if let Some(said) = line.strip_prefix("listening at ") {
                let address = said.split(';').next().unwrap();
                server.addresses.push(address.parse().unwrap());
            }
            server.stdout.push_str(&line);
            server.stdout.push('\n');
        }
        server
    }

    /// A server of its own folder, for `contoso.example`, on one port; `more` are further flags.
    pub(crate) fn in_folder(folder: &Path, more: &[&str]) -> Self {
        room(folder);
        let flags = folder_flags(folder);
        let mut arguments = vec!["--listen", "127.0.0.1:0", "--accepted-domain", "contoso.example"];
        arguments.extend(flags.iter().map(String::as_str));
        arguments.extend(more);
        Self::listening(1, &arguments)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Ended {
        self.signal_stop();
        self.wait()
    }

    pub(crate) fn signal_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Does nothing more until [`thaw`](Self::thaw): what its folders hold stays as it is.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until it has ended; kills it when it does not.
    pub(crate) fn wait(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) =
            self.lines.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.stdout.push_str(&line);
            self.stdout.push('\n');
        }
        // Its output is at an end, so it is too, or it is killed.
        let status = self.status_by(until + Duration::from_secs(1));
        let _gone = self.child.kill();
        let _status = self.child.wait();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        let stdout = std::mem::take(&mut self.stdout);
        let Some(status) = status else {
            panic!("it did not end in {PATIENCE:?}: {stdout}{stderr}");
        };
        Ended { code: status.code(), stdout, stderr }
    }

    fn status_by(&mut self, until: Instant) -> Option<ExitStatus> {
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || Instant::now() > until {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever it returns, the process is gone or was never there.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Folders below `folder` for all that the program keeps.
pub(crate) fn folder_flags(folder: &Path) -> Vec<String> {
    let flag = |flag: &str, name: &str| [flag.to_owned(), folder.join(name).display().to_string()];
    [flag("--spool", "spool"), flag("--mail", "mail"), flag("--log-dir", "log")].concat()
}

/// Fails with a clear line when the disk under `folder` is so full that a transport would refuse
/// mail on it, which is right and no fault of the program's.
pub(crate) fn room(folder: &Path) {
    let stat = rustix::fs::statvfs(folder).unwrap();
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    let needed = (total / 8).min(10 << 30);
    assert!(
        free >= needed,
        "the disk under {} is too full for this test: {} MiB free of {} MiB, {} needed; \
         set TMPDIR to a folder on another one",
        folder.display(),
        free >> 20,
        total >> 20,
        needed >> 20
    );
}

/// A thousand connections need as many descriptors here; the program sees to itself.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// The messages in all Maildirs below `folder`.
pub(crate) fn mail_in(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for path in files_below(folder) {
        let is_new = path.parent().is_some_and(|parent| parent.ends_with("new"));
        if is_new {
            found.push(fs::read(path).unwrap());
        }
    }
    found
}

/// Waits until the Maildirs hold `count` messages.
pub(crate) fn wait_for_mail(folder: &Path, count: usize) -> Vec<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = mail_in(folder);
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < until, "{} of {count} messages arrived", found.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it never came to that");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All files below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

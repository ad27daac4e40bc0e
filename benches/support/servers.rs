//! Servers as child processes, each with a folder of its own: ours, and a private Postfix.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// A running server. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The process that is, or is the parent of, the server.
    pub pid: u32,
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Our transport, accepting for `domain` and holding what it accepts.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn transport(binary: &Path, folder: PathBuf, domain: &str) -> io::Result<Self> {
        let address = free_address()?;
        fs::create_dir_all(&folder)?;
        let log = fs::File::create(folder.join("transport.log"))?;
        let child = Command::new(binary)
            .args(["--listen", &address.to_string(), "--accepted-domain", domain])
            .args(["--suspend-delivery", "--no-samples"])
            .arg("--mail")
            .arg(folder.join("mail"))
            .arg("--spool")
            .arg(folder.join("spool"))
            .arg("--log-dir")
            .arg(folder.join("log"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let server = Self { address, pid: child.id(), child, folder };
        wait_for_greeting(address)?;
        Ok(server)
    }

    /// A private Postfix that puts everything on hold, so that it accepts and does nothing else.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn postfix(root: &Path, folder: PathBuf) -> io::Result<Self> {
        let address = free_address()?;
        // The shell ends Postfix when its input ends, which is when this value is dropped.
        let script = ". tests/interop/servers.sh; postfix_configure \"$1\" \"$2\" \
            'smtpd_client_restrictions = check_client_access static:HOLD' \
            'default_process_limit = 120' 'in_flow_delay = 0' && \
            postfix_start \"$1\" \"$2\" && echo ready; read -r _; postfix_stop \"$1\"";
        let mut child = Command::new("bash")
            .args(["-c", script, "postfix"])
            .arg(&folder)
            .arg(address.port().to_string())
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let master = fs::read_to_string(folder.join("queue/pid/master.pid"));
        let pid = master.ok().and_then(|text| text.trim().parse().ok());
        let server = Self { address, pid: pid.unwrap_or(0), child, folder };
        if line.trim() == "ready" && server.pid != 0 {
            Ok(server)
        } else {
            Err(io::Error::other("Postfix does not start"))
        }
    }

    /// Stops the server as an administrator would. Gives how often it synced its spool, from the
    /// line that our transport prints last; none for a server that prints no such line.
    ///
    /// # Errors
    ///
    /// The process cannot be told to stop.
    pub fn stop(mut self) -> io::Result<Option<u32>> {
        if self.child.stdin.is_some() {
            return Ok(None); // Postfix: the drop does it
        }
        Command::new("kill").args(["-TERM", &self.pid.to_string()]).status()?;
        self.child.wait()?;
        let log = fs::read_to_string(self.folder.join("transport.log"))?;
        let last = log.lines().rfind(|line| line.starts_with("spool: "));
        let count = last.and_then(|line| line.split(", ").find_map(|p| p.strip_suffix(" fsyncs")));
        Ok(count.and_then(|count| count.parse().ok()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.stdin.take().is_none() {
            // Whatever it returns, the process is gone or was never there.
            let _gone = self.child.kill();
        }
        let _status = self.child.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn wait_for_greeting(address: SocketAddr) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if greets(address).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(io::Error::other(format!("nobody greets on {address}")))
}

fn greets(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.read_exact(&mut [0; 3])
}

//! A connection: a socket that never blocks, and the bytes on their way in and out.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::Result;
use crate::protocol::{Protocol, Slot};

const READ_BYTES: usize = 256 << 10;

trait Pipe: Read + Write + AsFd {}

impl<T: Read + Write + AsFd> Pipe for T {}

/// A connection and its side of the protocol.
pub struct Connection {
    pipe: Box<dyn Pipe>,
    protocol: Box<dyn Protocol>,
    input: Vec<u8>,
    /// Bytes of `input` that hold something.
    filled: usize,
    out: Vec<u8>,
    written: usize,
}

impl Connection {
    /// Connects and says what is said first.
    pub fn open(address: &str, mut protocol: Box<dyn Protocol>) -> Result<Self> {
        let pipe: Box<dyn Pipe> = if let Some(path) = address.strip_prefix("unix:") {
            let socket = UnixStream::connect(path)?;
            socket.set_nonblocking(true)?;
            Box::new(socket)
        } else {
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            Box::new(socket)
        };
        let mut out = Vec::new();
        protocol.open(&mut out);
        Ok(Self { pipe, protocol, input: vec![0; READ_BYTES], filled: 0, out, written: 0 })
    }

    /// For the poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Whether calls may be made.
    pub fn is_ready(&self) -> bool {
        self.protocol.is_ready()
    }

    /// Makes a call; it leaves with the next `write`.
    pub fn call(&mut self, slot: Slot, commands: usize, body: &[u8]) {
        self.protocol.call(slot, commands, body, &mut self.out);
    }

    /// Reads what is there. Whether all was read: more may be left when the buffer was full.
    pub fn read(&mut self) -> Result<()> {
        if self.filled == self.input.len() {
            self.input.resize(self.input.len() * 2, 0);
        }
        match self.pipe.read(&mut self.input[self.filled..]) {
            Ok(0) => Err("the server closed a connection".into()),
            Ok(bytes) => {
                self.filled += bytes;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at what was read; notes the calls that are done.
    pub fn receive(&mut self, done: &mut Vec<Slot>) -> Result<()> {
        let taken = self.protocol.receive(&self.input[..self.filled], &mut self.out, done)?;
        self.input.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Ok(())
    }

    /// Writes what there is; whether nothing is left.
    pub fn write(&mut self) -> Result<bool> {
        while self.written < self.out.len() {
            match self.pipe.write(&self.out[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(true)
    }
}

//! Connections that a handler can cut: from then on nothing is written, so that the sender's line breaks after the
//! request was taken and before it is answered.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Cuts its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Scissors {
    is_cut: Arc<AtomicBool>,
    all: CancellationToken,
}

impl Scissors {
    /// Nothing is written from now on.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
    }

    fn whole(&self) -> io::Result<()> {
        let is_cut = self.is_cut.load(Ordering::Acquire) || self.all.is_cancelled();
        if is_cut { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Lines>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Accepts connections that can be cut, each alone, or all with the token: what is kept alive by a sender must not be
/// answered by a simulator that has stopped.
#[derive(Debug)]
pub(super) struct Lines(pub TcpListener, pub CancellationToken);

impl Listener for Lines {
    type Io = Line;
    type Addr = Scissors;

    async fn accept(&mut self) -> (Line, Scissors) {
        let (stream, _): (TcpStream, SocketAddr) = Listener::accept(&mut self.0).await;
        let scissors = Scissors { all: self.1.clone(), ..Scissors::default() };
        (Line { stream, scissors: scissors.clone() }, scissors)
    }

    fn local_addr(&self) -> io::Result<Scissors> {
        Ok(Scissors::default())
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    scissors: Scissors,
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.scissors.whole()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.scissors.whole()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

// SPDX-License-Identifier: MIT
//! TCP echo: a server, and 64 clients of it in the same process.
use crate::{Clock, Cost};
use std::future::pending;
use std::io::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENTS: usize = 64;
const MESSAGE: usize = 64;

async fn serve(mut conn: TcpStream) -> Result<()> {
    conn.set_nodelay(true)?;
    let mut buffer = vec![0; 16384];
    loop {
        let read = conn.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        conn.write_all(&buffer[..read]).await?;
    }
}

/// Listens on loopback and spawns the server.
async fn start(port: u16) -> std::net::SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (conn, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(conn));
        }
    });
    addr
}

pub async fn clients(n: usize) -> Cost {
    let addr = start(0).await;
    let clock = Clock::start();
    let mut handles = vec![];
    for _ in 0..CLIENTS {
        handles.push(tokio::spawn(async move {
            let mut conn = TcpStream::connect(addr).await.unwrap();
            conn.set_nodelay(true).unwrap();
            let mut buffer = [0; MESSAGE];
            for i in 0..n as u64 {
                buffer[..8].copy_from_slice(&i.to_ne_bytes());
                conn.write_all(&buffer).await.unwrap();
                buffer[..8].fill(0xff);
                conn.read_exact(&mut buffer).await.unwrap();
                assert_eq!(buffer[..8], i.to_ne_bytes());
            }
        }));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    clock.stop(CLIENTS * n)
}

/// For a load from outside: until it is killed. Port 0 picks one.
pub async fn server(port: usize) -> Cost {
    println!("listening on {}", start(port as u16).await);
    pending().await
}

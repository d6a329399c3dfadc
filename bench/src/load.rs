//! Sends requests: as fast as they are answered, or at a rate that does not wait for answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::Result;
use crate::clock;
use crate::http::Connection;
use crate::traffic::Supply;

/// Connections that stay open; a request is under way on each.
pub struct ClosedLoop {
    connections: Vec<Connection>,
}

/// Among so many connections one is free whenever a request is due, but for an Envoy that falls behind.
const OPEN_LOOP_CONNECTIONS: usize = 32;

impl ClosedLoop {
    pub fn open(port: u16, connections: usize) -> Result<Self> {
        let open = |_| Connection::open(port);
        Ok(ClosedLoop {
            connections: (0..connections).map(open).collect::<Result<_>>()?,
        })
    }

    /// Sends `count` requests, each as soon as the one before it on its connection is answered, and awaits the last
    /// answer. One thread does it: more of them would compete with Envoy for the CPU.
    pub fn run(&mut self, supply: &Supply, count: usize) -> Result<()> {
        self.run_while(supply, |sent| sent < count).map(drop)
    }

    /// How many requests were answered per second, over this time.
    pub fn throughput(&mut self, supply: &Supply, time: Duration) -> Result<f64> {
        let start = clock::now();
        let sent = self.run_while(supply, |_| start.elapsed() < time)?;
        Ok(sent as f64 / start.elapsed().as_secs_f64())
    }

    fn run_while(&mut self, supply: &Supply, more: impl Fn(usize) -> bool) -> Result<usize> {
        let mut sent = 0;
        let mut waiting = vec![false; self.connections.len()];
        'sending: loop {
            for (connection, waits) in self.connections.iter_mut().zip(&mut waiting) {
                if !more(sent) {
                    break 'sending;
                }
                if *waits {
                    expect_200(connection)?;
                }
                connection.send(&supply.next())?;
                *waits = true;
                sent += 1;
            }
        }
        for (connection, waits) in self.connections.iter_mut().zip(waiting) {
            if waits {
                expect_200(connection)?;
            }
        }
        Ok(sent)
    }
}

/// Latencies in microseconds, ascending, of requests that are sent at `rate` per second whatever becomes of those
/// before them.
///
/// A request counts from when it was due. Where it was not sent by then because every connection still waited, that
/// delay is Envoy's and counts (else the slow answers would hide themselves: coordinated omission); where the thread
/// slept and woke late, the delay is this generator's and does not.
pub fn open_loop(port: u16, supply: &Supply, rate: f64, time: Duration) -> Result<Vec<f64>> {
    let count = (rate * time.as_secs_f64()) as usize;
    let next = AtomicUsize::new(0);
    let latencies = Mutex::new(Vec::with_capacity(count));
    let mut connections: Vec<Connection> = (0..OPEN_LOOP_CONNECTIONS)
        .map(|_| Connection::open(port))
        .collect::<Result<_>>()?;
    let start = clock::now() + Duration::from_millis(20);
    let send = |connection: &mut Connection| -> Result<()> {
        let mut mine = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            let due = start + Duration::from_secs_f64(i as f64 / rate);
            let slack = due.saturating_duration_since(clock::now());
            let from = match slack.is_zero() {
                true => due,
                false => {
                    thread::sleep(slack);
                    clock::now()
                }
            };
            connection.send(&supply.next())?;
            expect_200(connection)?;
            mine.push(from.elapsed().as_secs_f64() * 1e6);
        }
        let mut all = latencies.lock().map_err(|_| "another thread died")?;
        all.append(&mut mine);
        Ok(())
    };
    let send = &send;
    thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = connections
            .iter_mut()
            .map(|connection| scope.spawn(move || send(connection)))
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a sending thread died")??;
        }
        Ok(())
    })?;
    let mut latencies = latencies
        .into_inner()
        .map_err(|_| "a sending thread died")?;
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

fn expect_200(connection: &mut Connection) -> Result<()> {
    match connection.receive_status()? {
        200 => Ok(()),
        status => Err(format!("a good request was answered {status}").into()),
    }
}

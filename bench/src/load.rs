//! Sends requests: as fast as they are answered, or at a rate that does not wait for answers.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::Result;
use crate::clock;
use crate::http::{Connection, Verdict};
use crate::traffic::Supply;

/// Connections that stay open; a request is under way on each.
pub struct ClosedLoop {
    connections: Vec<Connection>,
    /// The status that every answer must have.
    expected: u16,
}

/// Requests that are sent when they are due, even where those before them are not answered yet.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Of all connections together, in a second.
    pub rate: f64,
    /// How long requests are sent.
    pub time: Duration,
    /// How much longer requests that were due may wait for a free connection.
    pub overtime: Duration,
    /// How many connections are open.
    pub connections: usize,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// None, where the connection ended first.
    pub verdict: Option<Verdict>,
    /// From when it was due, or from when it was sent where this generator was late.
    pub micros: f64,
}

/// So many that one is free whenever a request is due, unless Envoy falls behind.
const OPEN_LOOP_CONNECTIONS: usize = 32;

impl ClosedLoop {
    /// Connects so often to this port, for requests that are to be answered with a 200.
    pub fn open(port: u16, connections: usize) -> Result<Self> {
        let open = |_| Connection::open(port);
        Ok(ClosedLoop {
            connections: (0..connections).map(open).collect::<Result<_>>()?,
            expected: 200,
        })
    }

    /// The same connections, for requests that must be answered with this status.
    pub fn expecting(self, expected: u16) -> Self {
        ClosedLoop { expected, ..self }
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
        let expected = self.expected;
        let mut sent = 0;
        let mut waiting = vec![false; self.connections.len()];
        'sending: loop {
            for (connection, waits) in self.connections.iter_mut().zip(&mut waiting) {
                if !more(sent) {
                    break 'sending;
                }
                if *waits {
                    expect(connection, expected)?;
                }
                connection.send(&supply.next())?;
                *waits = true;
                sent += 1;
            }
        }
        for (connection, waits) in self.connections.iter_mut().zip(waiting) {
            if waits {
                expect(connection, expected)?;
            }
        }
        Ok(sent)
    }
}

/// The latencies in microseconds, ascending. Every request must be answered with a 200.
pub fn open_loop(port: u16, supply: &Supply, rate: f64, time: Duration) -> Result<Vec<f64>> {
    let pace = Pace {
        rate,
        time,
        overtime: Duration::MAX,
        connections: OPEN_LOOP_CONNECTIONS,
    };
    let mut latencies = Vec::new();
    for outcome in pace.send(port, supply)? {
        match outcome.verdict {
            Some(Verdict { status: 200, .. }) => latencies.push(outcome.micros),
            Some(verdict) => return Err(format!("a good request was answered {verdict}").into()),
            None => return Err("a good request was not answered".into()),
        }
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

fn expect(connection: &mut Connection, expected: u16) -> Result<()> {
    match connection.receive_status()? {
        status if status == expected => Ok(()),
        status => Err(format!("a request was answered {status}, not {expected}").into()),
    }
}

/// Microseconds of CPU that each of so many requests takes. `spent` is the CPU time, in nanoseconds, that the
/// processes in question have had since they started.
pub fn cpu_per_request(
    spent: impl Fn() -> Result<u64>,
    load: &mut ClosedLoop,
    supply: &Supply,
    requests: usize,
) -> Result<f64> {
    cpu_of(spent, requests, || load.run(supply, requests))
}

/// The same, of so many requests that are sent in another way.
pub fn cpu_of(
    spent: impl Fn() -> Result<u64>,
    requests: usize,
    send: impl FnOnce() -> Result<()>,
) -> Result<f64> {
    settle();
    let before = spent()?;
    send()?;
    settle();
    Ok((spent()? - before) as f64 / 1000.0 / requests as f64)
}

/// A thread's time is booked when it goes to sleep, which it does some microseconds after the last answer.
fn settle() {
    thread::sleep(Duration::from_millis(2));
}

// === impl Outcome ===

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Some(verdict) => verdict.fmt(f),
            None => f.write_str("no answer"),
        }
    }
}

// === impl Pace ===

impl Pace {
    /// How many requests are due.
    pub fn count(&self) -> usize {
        (self.rate * self.time.as_secs_f64()) as usize
    }

    /// Sends them, and awaits every answer.
    ///
    /// A request counts from when it was due. Where it was not sent by then because every connection still waited, that
    /// delay is Envoy's and counts (otherwise slow answers would hide themselves: coordinated omission); where the thread
    /// slept and woke late, the delay is this generator's and does not.
    pub fn send(&self, port: u16, supply: &Supply) -> Result<Vec<Outcome>> {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(Vec::with_capacity(self.count()));
        let connections: Vec<Connection> = (0..self.connections)
            .map(|_| Connection::open(port))
            .collect::<Result<_>>()?;
        let start = clock::now() + Duration::from_millis(20);
        let send = |mut connection: Connection| -> Result<()> {
            let mut mine = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let due = start + Duration::from_secs_f64(i as f64 / self.rate);
                let slack = due.saturating_duration_since(clock::now());
                let is_late = start.elapsed() > self.time.saturating_add(self.overtime);
                if i >= self.count() || is_late {
                    break;
                }
                let from = match slack.is_zero() {
                    true => due,
                    false => {
                        thread::sleep(slack);
                        clock::now()
                    }
                };
                let sent = connection.send(&supply.next());
                let verdict = sent.and_then(|()| connection.receive_verdict()).ok();
                if verdict.is_none() {
                    connection = Connection::open(port)?;
                }
                let micros = from.elapsed().as_secs_f64() * 1e6;
                mine.push(Outcome { verdict, micros });
            }
            let mut all = outcomes.lock().map_err(|_| "another thread died")?;
            all.append(&mut mine);
            Ok(())
        };
        let send = &send;
        thread::scope(|scope| -> Result<()> {
            let threads: Vec<_> = connections
                .into_iter()
                .map(|connection| {
                    // There may be hundreds of them, and none needs a deep stack.
                    let thread = thread::Builder::new().stack_size(128 * 1024);
                    thread.spawn_scoped(scope, move || send(connection))
                })
                .collect::<std::io::Result<_>>()?;
            for thread in threads {
                thread.join().map_err(|_| "a sending thread died")??;
            }
            Ok(())
        })?;
        let outcomes = outcomes.into_inner();
        Ok(outcomes.map_err(|_| "a sending thread died")?)
    }
}

//! Load from outside: kept connections in one thread, each with one request under way.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Duration,
};

use tokio::{
    task::{JoinSet, LocalSet},
    time::Instant,
};

use super::client::{Address, Connection};

/// When the next request leaves.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// When the one before on its connection was answered.
    Closed,
    /// So many a second, whether those before were answered or not, as far as connections are free.
    PerSecond(u32),
}

/// What is asked for.
pub struct Load {
    pub address: Address,
    pub connections: u32,
    pub pace: Pace,
    /// For how long requests leave; those that have left are waited for.
    pub time: Duration,
}

/// What was seen.
pub struct Seen {
    /// Milliseconds from when each request was to leave until it was answered.
    pub samples: Vec<f64>,
    /// From the first request to the last answer.
    pub seconds: f64,
}

/// Applies it. `work` does one piece of work on a connection and gets the number of it, counted from 0.
pub async fn drive<F>(load: &Load, work: F) -> io::Result<Seen>
where
    F: AsyncFn(&mut Connection, u64) -> io::Result<()> + 'static,
{
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(&load.address).await?);
    }
    let (work, count, samples) = (Rc::new(work), Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
    let (start, time, pace, every) = (Instant::now(), load.time, load.pace, u64::from(load.connections));
    let mut workers = JoinSet::new();
    let here = LocalSet::new();
    for (place, mut connection) in (0u64..).zip(connections) {
        let (work, count, samples) = (work.clone(), count.clone(), samples.clone());
        workers.spawn_local_on(
            async move {
                for turn in 0u64.. {
                    let due = match pace {
                        Pace::Closed => Instant::now(),
                        Pace::PerSecond(rate) => {
                            start + Duration::from_secs_f64((turn * every + place) as f64 / f64::from(rate))
                        }
                    };
                    if due - start >= time {
                        break;
                    }
                    tokio::time::sleep_until(due).await;
                    let number = count.replace(count.get() + 1);
                    work(&mut connection, number).await?;
                    samples.borrow_mut().push(due.elapsed().as_secs_f64() * 1e3);
                }
                Ok::<_, io::Error>(())
            },
            &here,
        );
    }
    here.run_until(async {
        while let Some(ended) = workers.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok::<_, io::Error>(())
    })
    .await?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Seen { samples: samples.take(), seconds })
}

// SPDX-License-Identifier: MIT
//! A set of futures of which one is woken at a time: the price of a wake, whatever the others are.
use crate::{Clock, Cost};
use futures_util::stream::{FuturesUnordered, Stream};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Waits for ever. Its first poll leaves its waker where the bench finds it.
struct Member {
    waker: *mut Option<Waker>,
    polls: *mut usize,
}

unsafe impl Send for Member {}

impl Future for Member {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        unsafe {
            *self.polls += 1;
            if (*self.waker).is_none() {
                *self.waker = Some(cx.waker().clone());
            }
        }
        Poll::Pending
    }
}

/// Holds the members, and wakes one of them and polls the set, N times in one poll of its own.
struct Unordered {
    set: FuturesUnordered<Member>,
    wakers: Vec<Option<Waker>>,
    polls: Box<usize>,
    n: usize,
}

impl Future for Unordered {
    type Output = Cost;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cost> {
        let me = &mut *self;
        let members = me.wakers.len();
        while *me.polls < members {
            assert!(Pin::new(&mut me.set).poll_next(cx).is_pending());
        }
        let clock = Clock::start();
        let mut x = 1u32;
        for _ in 0..me.n {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            me.wakers[x as usize % members].as_ref().unwrap().wake_by_ref();
            assert!(Pin::new(&mut me.set).poll_next(cx).is_pending());
        }
        let cost = clock.stop(me.n);
        assert_eq!(*me.polls, members + me.n);
        Poll::Ready(cost)
    }
}

pub fn unordered(members: usize, n: usize) -> impl Future<Output = Cost> + Send {
    let (set, mut wakers, mut polls) = (FuturesUnordered::new(), Vec::new(), Box::new(0));
    wakers.resize_with(members, || None);
    for waker in wakers.iter_mut() {
        set.push(Member { waker, polls: &mut *polls });
    }
    Unordered { set, wakers, polls, n }
}

"""A small local Azure Functions host: HTTP, queue and timer triggers, queue outputs.

It imitates what the real host and its Storage Queue extension were seen to do, so that an app of the
Python v2 model meets the same deliveries, retries and poison moves on a laptop as in the cloud.
Start it with `python -m devstack.host --app <directory>`.

Where it differs on purpose:

- an unreachable or failing storage service is waited out, where the real host ends and its platform starts it again;
- a function that ran into `functionTimeout` fails its attempt, but its thread cannot be ended as a worker process can;
- output bindings of one function are sent one after the other, not side by side;
- the code runs in the host's own process, so `SystemExit` fails the attempt instead of ending a worker;
- connections are connection strings; the identity form is refused at start-up;
- timers keep no schedule monitor: a tick missed while the host was down is not made up for.
"""

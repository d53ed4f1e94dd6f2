"""The sandbox: stand-ins for everything outside, on this machine.

The same stand-ins serve `gatefold sandbox`, the tests, the demo and the benchmarks. They are as strict as
the real services, and they fail on demand.
"""

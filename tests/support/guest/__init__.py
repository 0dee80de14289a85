"""A virtual machine with Debian's own kernel, in which tests marked `qemu` run: `make test-kernel`.

What lives here: fetching that kernel, an initramfs of what the tests need of this machine, QEMU without KVM.
What it must not know: what is tested. It changes nothing of the machine: the kernel is not installed.
"""

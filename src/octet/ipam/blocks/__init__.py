"""Addresses in blocks out of pools, as Calico's IPAM keeps them (libcalico-go/lib/ipam, design/ipam).

What lives here: every decision about blocks, pure. Whoever needs the store gets a generator of ``steps``: it
yields what it wants read or written, and is sent the answer, so a step is a place where a node may die.
What it must not know: stores, clocks, tasks, the kernel, CNI.

Objects (``octet.cluster.pools``, ``octet.cluster.blocks``; Kubernetes shape, Calico's field names):
    IPPool, IPReservation, IPAMConfig: what an operator says; in the View as ``pools``, ``reservations``,
        ``ipam_config``.
    IPAMBlock, BlockAffinity, IPAMHandle: what nodes agree on; the View has ``blocks`` and ``affinities``.

Entry points:
    selection.Wish, selection.wish(view, namespace, pod): what a pod asks for, by its annotations, its
        namespace's, and the defaults.
    selection.qualified(...): the pools it may have addresses from, in order.
    holdings.holdings(view, node) -> Holdings(blocks, addresses): what a node's pods are in: its confirmed
        blocks, and single addresses outside of them (borrowed) to be routed as /32 or /128. A transport's
        ``peer`` takes ``.prefixes``; BGP exports the same of the node itself.
    holdings.blackholes(view) -> Blueprint: a blackhole route per own block.
    shelf.Shelf: this node's addresses, synchronous, with ``node_cidr.Pool``'s methods: ``allocate``,
        ``release``, ``hold``, ``settle``, ``counts``. NotReadyError: one more is being got, try again later.
    tending.Tender(shelf).next(now) -> Steps | None: the next thing to do with the store for this node.
    assigning.auto_assign, assigning.assign, assigning.release: single assignments by handle (tunnel
        addresses: ``ipip-tunnel-addr-NODE`` and so on), in Calico's order: own blocks, claim, borrow.
    collecting.collect(...): what a node that is gone held.
    octet.agent.blocks.BlockKeeper: drives all of it with a store.

Safety. An address is a node's own once the block in the store says so by compare-and-swap; pods get no other
ones. A node takes addresses ahead of need, as *stock* (allocations without a handle, ``note: octet-stock``),
so an ADD needs no store, and nobody borrows or reclaims what a node may be handing out at this moment.
"""

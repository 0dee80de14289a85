"""Addresses in blocks out of pools, as Calico's IPAM keeps them (libcalico-go/lib/ipam, design/ipam).

What lives here: every decision about blocks, pure. Whoever needs the store gets a generator of ``steps``: it
yields what it wants read or written, and is sent the answer, so a step is a place where a node may die.
What it must not know: stores, clocks, tasks, the kernel, CNI.

Objects (Kubernetes' shape, Calico's field names):
    octet.cluster.pools: IPPool, IPReservation, IPAMConfiguration: what an operator says; in the View as
        ``pools``, ``reservations``, ``ipam_config``.
    octet.cluster.blocks: Block, Affinity, Handle: the whole objects that nodes agree on.
    octet.cluster.ownership: IPAMBlock, BlockAffinity: as much of them as the View has (``blocks``,
        ``affinities``): what routes follow from.

Entry points:
    holdings.holdings(view, node) -> Holdings(blocks, addresses): what a node's pods are in: its confirmed
        blocks, and single addresses outside of them (borrowed) to be routed as /32 or /128. A transport's
        ``peer`` takes ``.prefixes``; BGP exports the same of the node itself.
    holdings.blackholes(view); block_of, node_of (view, address): for the node itself, and for ``routes why``.
    selection.Defaults: a model's choice (``Running.blocks``); with it the agent follows pools and blocks.
    selection.wish(view, namespace, pod, defaults), Rules.qualified(wish, family): what a pod asks for, by its
        annotations, its namespace's and the defaults; the pools it may have addresses from, in order.
    shelf.Shelf: this node's addresses, synchronous (``ipam.Addresses``). NotReadyError: more are being got.
    ledger.Ledger, tending.Tender: what blocks say of them; ``next(now)``: what to do with the store next.
    assigning.auto_assign, assign, hold, release: single assignments by handle, in Calico's order: own blocks,
        claim, borrow. ``hold`` is for tunnels (``ipip-tunnel-addr-NODE`` and so on).
    collecting.Collector: what nodes that are gone held.
    octet.agent.blocks.BlockKeeper: drives all of it with a store; ``tunnel`` is ``hold``.

Safety. An address is a node's own once the block in the store says so by compare-and-swap; pods get no other
ones. A node takes addresses ahead of need, as *stock* (allocations without a handle, ``note: octet-stock``),
so an ADD needs no store, and nobody borrows or reclaims what a node may be handing out at this moment. Where
blocks are few, little is kept ready, and a node without pods keeps nothing.
"""

"""What exists: nodes, pods, policies, services, and the view that this node has of them.

What lives here: slim typed values from Kubernetes-shaped JSON, endpoints, the View. All of it is pure.
What it must not know: stores, kernels, models.
"""

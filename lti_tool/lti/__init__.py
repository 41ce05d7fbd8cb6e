"""The LTI edge: what platforms send is checked and turned into the domain's own words here.

The only package that imports PyLTI1p3; each step of it that is replaced says why. What this package
needs of others (registrations, outgoing HTTP, keys) it declares as a protocol or takes as a function,
and ``lti_tool.bootstrap`` brings the two together.
"""

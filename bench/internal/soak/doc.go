/*
Package soak uses an engine as many clients do for a long time, proves every answer against a model,
and judges whether what it costs levels off.

# The model

Every write gives its object an id, in the object's metadata, and so every read says which write it
saw. Of each key the model keeps the writes that a read may still see. A call takes effect at one
moment between its start and its return, or never. So a read must not see

  - a write that was never made, or that was refused;
  - a write that ended before another one began, which in turn had certainly taken effect before the
    read began. A deletion is such a write, and absence is what a read may see then.

Of a call that was cancelled or failed it is not known whether it took effect: a read may see it,
and what was there before; once a read has seen it, it is certain. Nothing makes clients wait for
each other.

# The bytes

A Content is bytes that follow from a seed. Any range of them can be made again, so every byte that
is read is compared, and nothing is kept.

# Live bytes

What is live is computed from the model, not asked of the engine: the contents of all writes that
are not certainly replaced, of the objects that are open for reading, and the bytes that bodies
under way and open uploads have handed over. A plain content counts once however many keys have it,
since the engine finds duplicates; one that compresses counts as what Content.Stored says.
*/
package soak

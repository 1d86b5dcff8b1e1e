// Package runtime is what the generated bindings stand on: memory for the calling convention, and handles.
//
// While the host puts results into this component's memory it calls `cabi_realloc`, and the component model forbids any
// call out of the component meanwhile. Go's collector reads the clock, which is such a call. So it must not run then:
// Call switches it off around every call to the host.
package runtime

import (
	"runtime"
	"runtime/debug"
	"unsafe"
)

// Blocks that the host was given in the current call. The references keep them from the collector until the call's
// result refers to them itself.
var given []unsafe.Pointer

// Call runs one call to the host with the collector off. Allocations grow the heap meanwhile; the collector looks at it
// right after.
func Call[T any](call func() T) T {
	before := debug.SetGCPercent(-1)
	result := call()
	clear(given)
	given = given[:0]
	debug.SetGCPercent(before)
	return result
}

// Handle is an owned resource of the host; zero when it was given away or dropped.
type Handle struct {
	value int32
}

// MakeHandle takes over a resource.
func MakeHandle(value int32) *Handle { return &Handle{value} }

// Use is the handle for a call. A resource that was given away traps in the host with a message.
func (h *Handle) Use() int32 { return h.value }

// Take gives it away.
func (h *Handle) Take() int32 {
	value := h.value
	h.value = 0
	return value
}

// TakeOrNil gives it away, or is zero when it is gone already.
func (h *Handle) TakeOrNil() int32 { return h.Take() }

// Set takes over a resource.
func (h *Handle) Set(value int32) { h.value = value }

// Allocate is zeroed memory that stays where it is until the pinner lets it go.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	pointer := allocate(size, align)
	pinner.Pin(pointer)
	return pointer
}

// Go aligns an array as its elements are aligned; the contract asks for 1, 2, 4 or 8.
func allocate(size, align uintptr) unsafe.Pointer {
	if align <= 1 {
		return unsafe.Pointer(unsafe.SliceData(make([]byte, size)))
	}
	return unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
}

// The adapter for WASI preview 1 asks for its own memory before Go's runtime has started: it comes from here.
var (
	early     [256 << 10]byte
	earlyUsed uintptr
	started   bool
)

func init() { started = true }

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if !started {
		base := uintptr(unsafe.Pointer(&early))
		at := (base+earlyUsed+align-1)&^(align-1) - base
		earlyUsed = at + size
		return unsafe.Pointer(&early[earlyUsed-size : earlyUsed][0])
	}
	if size == 0 {
		return nil
	}
	pointer := allocate(size, align)
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(pointer), size), unsafe.Slice((*byte)(old), oldSize))
	}
	given = append(given, pointer)
	return pointer
}

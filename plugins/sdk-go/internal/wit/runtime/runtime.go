// Package runtime is what the generated bindings stand on: memory for the calling convention, and handles.
//
// While the host puts results into this component's memory it calls `cabi_realloc`, and the component model forbids any
// call out of the component meanwhile. Go's allocator reads the clock, which is such a call, whenever a collection starts
// or the heap grows. So nothing may be allocated then: Call sets memory aside before every call to the host, and
// `cabi_realloc` only hands it out. The collector stays on and runs between calls, as in any program.
package runtime

import (
	"runtime"
	"unsafe"
)

const (
	// What every call finds set aside: texts, attributes, headers.
	reserve = 128 << 10
	// Blocks are larger than that, so that most calls allocate none. A block lives as long as something in it does.
	block = 512 << 10
)

// What is set aside for the host, and how much of it is used. The elements are words, for their alignment.
var (
	aside []uint64
	used  uintptr
)

// Call runs one call to the host whose results are small.
func Call[T any](call func() T) T { return CallFor(0, call) }

// CallFor runs one call to the host whose results may have `size` bytes more.
func CallFor[T any](size int, call func() T) T {
	needed := uintptr(reserve + size)
	if used+needed > uintptr(len(aside))*8 {
		aside, used = make([]uint64, max(needed, block)/8+1), 0
	}
	return call()
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
		return take(unsafe.Pointer(&early), len(early), &earlyUsed, align, size)
	}
	if size == 0 {
		return nil
	}
	pointer := take(unsafe.Pointer(unsafe.SliceData(aside)), len(aside)*8, &used, align, size)
	if pointer == nil {
		// More than the contract lets the host give. The heap may have room; if it must grow, the step traps.
		pointer = allocate(size, align)
	}
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(pointer), size), unsafe.Slice((*byte)(old), oldSize))
	}
	return pointer
}

// Cuts a piece off a block; nil when it has no room.
func take(from unsafe.Pointer, length int, used *uintptr, align, size uintptr) unsafe.Pointer {
	at := (uintptr(from)+*used+align-1)&^(align-1) - uintptr(from)
	if at+size > uintptr(length) {
		return nil
	}
	*used = at + size
	return unsafe.Add(from, at)
}

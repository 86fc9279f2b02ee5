/* SPDX-License-Identifier: MIT */
/* Stacks, and the switch between them: a model's threads take turns on one thread of the system.
 *
 * A switch saves what the calling convention says a call preserves, and no more; ucontext would make
 * two system calls for the signal mask each time, which is most of an execution.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "checker.h"

enum { STACK_SIZE = 256 * 1024 };

static char *stacks;

void fiber_init(void)
{
    stacks = mmap(NULL, (size_t)THREADS * STACK_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) {
        perror("edo-model: mmap");
        exit(2);
    }
    /* The lowest page of each is a wall. */
    for (int i = 0; i < THREADS; i++)
        mprotect(stacks + (size_t)i * STACK_SIZE, 4096, PROT_NONE);
}

bool fiber_on_stack(uintptr_t address)
{
    return address - (uintptr_t)stacks < (size_t)THREADS * STACK_SIZE;
}

#if defined(__x86_64__)

__asm__(".text\n"
        ".globl fiber_switch\n"
        ".type fiber_switch, @function\n"
        "fiber_switch:\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    ret\n"
        ".size fiber_switch, . - fiber_switch\n");

void *fiber_new(int thread, void (*entry)(void))
{
    uintptr_t *top = (uintptr_t *)(void *)(stacks + (size_t)(thread + 1) * STACK_SIZE);
    *--top = 0; /* as after a call: the stack is aligned to 16 bytes but for the return address */
    *--top = (uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--top = 0;
    return top;
}

#elif defined(__aarch64__)

__asm__(".text\n"
        ".globl fiber_switch\n"
        ".type fiber_switch, %function\n"
        "fiber_switch:\n"
        "    stp x19, x20, [sp, #-160]!\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    ldp x19, x20, [sp], #160\n"
        "    ret\n"
        ".size fiber_switch, . - fiber_switch\n");

void *fiber_new(int thread, void (*entry)(void))
{
    uintptr_t *frame = (uintptr_t *)(void *)(stacks + (size_t)(thread + 1) * STACK_SIZE - 160);
    for (int i = 0; i < 20; i++)
        frame[i] = 0;
    frame[11] = (uintptr_t)entry; /* x30 */
    return frame;
}

#else
#error "fiber_switch is written for x86-64 and aarch64; ten lines of assembly for another"
#endif

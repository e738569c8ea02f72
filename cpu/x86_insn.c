/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opcode maps: SDM vol. 2, appendix A.3. */
#include <string.h>

#include "cpu/x86_insn.h"

/* What follows an opcode, by letter:
 *   .  nothing        m  ModRM            b  one byte       M  ModRM and one byte
 *   z  4 bytes, or 2 with 66              Z  ModRM and z    v  z, or 8 bytes with REX.W
 *   w  2 bytes        e  3 bytes (ENTER)  a  an address     t  ModRM, and b or z if reg is 0 or 1
 */
static const char one_byte[257] = "mmmmbz..mmmmbz.." /* 00 */
                                  "mmmmbz..mmmmbz.." /* 10 */
                                  "mmmmbz..mmmmbz.." /* 20 */
                                  "mmmmbz..mmmmbz.." /* 30 */
                                  "................" /* 40 */
                                  "................" /* 50 */
                                  "...m....zZbM...." /* 60 */
                                  "bbbbbbbbbbbbbbbb" /* 70 */
                                  "MZMMmmmmmmmmmmmm" /* 80 */
                                  "................" /* 90 */
                                  "aaaa....bz......" /* a0 */
                                  "bbbbbbbbvvvvvvvv" /* b0 */
                                  "MMw...MZe.w..b.." /* c0 */
                                  "mmmm....mmmmmmmm" /* d0 */
                                  "bbbbbbbbzz.b...." /* e0 */
                                  "......tt......mm" /* f0 */;
static const char two_byte[257] = "mmmm.........m.M" /* 00 */
                                  "mmmmmmmmmmmmmmmm" /* 10 */
                                  "mmmmmmmmmmmmmmmm" /* 20 */
                                  "................" /* 30 */
                                  "mmmmmmmmmmmmmmmm" /* 40 */
                                  "mmmmmmmmmmmmmmmm" /* 50 */
                                  "mmmmmmmmmmmmmmmm" /* 60 */
                                  "MMMMmmm.mmmmmmmm" /* 70 */
                                  "zzzzzzzzzzzzzzzz" /* 80 */
                                  "mmmmmmmmmmmmmmmm" /* 90 */
                                  "...mMm.....mMmmm" /* a0 */
                                  "mmmmmmmmmmMmmmmm" /* b0 */
                                  "mmMmMMMm........" /* c0 */
                                  "mmmmmmmmmmmmmmmm" /* d0 */
                                  "mmmmmmmmmmmmmmmm" /* e0 */
                                  "mmmmmmmmmmmmmmmm" /* f0 */;

struct cursor {
    const uint8_t *bytes;
    unsigned int at, size;
    bool short_of;
};

static uint8_t next(struct cursor *in)
{
    if (in->at < in->size)
        return in->bytes[in->at++];
    in->short_of = true;
    return 0;
}

static void prefixes(struct cursor *in, struct x86_insn *insn, uint8_t *opcode)
{
    for (;;) {
        *opcode = next(in);
        switch (*opcode) {
        case 0x64:
        case 0x65:
            insn->segment = *opcode - 0x60;
            break;
        case 0x66:
            insn->opsize = true;
            break;
        case 0x67:
            insn->addr32 = true;
            break;
        case 0xf3:
            insn->rep = true;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0xf0:
        case 0xf2:
            break;
        default:
            if ((*opcode & 0xf0) != 0x40)
                return;
            insn->rex = *opcode;
            *opcode = next(in);
            return;
        }
        if (in->at >= X86_INSN_MAX || in->short_of)
            return;
    }
}

/* C4 and C5; ModRM always follows but for VZEROUPPER (0F 77). */
static char vex(struct cursor *in, struct x86_insn *insn, uint8_t first)
{
    uint8_t map = 1;

    if (first == 0xc4) {
        map = next(in) & 31;
        next(in);
    } else {
        next(in);
    }
    insn->map = 4;
    insn->opcode = next(in);
    if (map == 1)
        return two_byte[insn->opcode];
    return map == 3 ? 'M' : 'm';
}

static char opcode_form(struct cursor *in, struct x86_insn *insn, uint8_t first)
{
    insn->opcode = first;
    if (first == 0xc4 || first == 0xc5)
        return vex(in, insn, first);
    if (first != 0x0f)
        return one_byte[first];
    insn->map = 1;
    insn->opcode = next(in);
    if (insn->opcode != 0x38 && insn->opcode != 0x3a)
        return two_byte[insn->opcode];
    insn->map = insn->opcode == 0x38 ? 2 : 3;
    insn->opcode = next(in);
    return insn->map == 2 ? 'm' : 'M';
}

static void displacement(struct cursor *in, struct x86_insn *insn)
{
    unsigned int mod = insn->modrm >> 6, rm = insn->modrm & 7, size = 0;
    uint32_t value = 0;

    if (mod == 3 || (insn->map == 1 && insn->opcode >= 0x20 && insn->opcode <= 0x23))
        return;
    if (rm == 4) {
        insn->has_sib = true;
        insn->sib = next(in);
    }
    if (mod == 1)
        size = 1;
    else if (mod == 2 || rm == 5 || (insn->has_sib && (insn->sib & 7) == 5))
        size = 4;
    for (unsigned int i = 0; i < size; i++)
        value |= (uint32_t)next(in) << 8 * i;
    insn->disp = size == 1 ? (int8_t)value : (int32_t)value;
}

static unsigned int immediate_size(const struct x86_insn *insn, char form)
{
    unsigned int z = insn->opsize && !(insn->rex & 8) ? 2 : 4;

    if (insn->map == 0 && (insn->opcode == 0xe8 || insn->opcode == 0xe9))
        return 4; /* 66 is ignored on branches */
    switch (form) {
    case 'b':
    case 'M':
        return 1;
    case 'z':
    case 'Z':
        return insn->map == 1 ? 4 : z;
    case 'v':
        return insn->rex & 8 ? 8 : z;
    case 'w':
        return 2;
    case 'e':
        return 3;
    case 'a':
        return insn->addr32 ? 4 : 8;
    case 't':
        return (insn->modrm >> 3 & 7) > 1 ? 0 : insn->opcode == 0xf6 ? 1 : z;
    default:
        return 0;
    }
}

bool x86_decode(const uint8_t *bytes, unsigned int size, struct x86_insn *insn)
{
    struct cursor in = {bytes, 0, size, false};
    uint8_t first;
    char form;

    memset(insn, 0, sizeof(*insn));
    prefixes(&in, insn, &first);
    form = opcode_form(&in, insn, first);
    if (strchr("mMZt", form)) {
        insn->has_modrm = true;
        insn->modrm = next(&in);
        displacement(&in, insn);
    }
    for (unsigned int i = immediate_size(insn, form), first_one = 1; i > 0; i--, first_one = 0) {
        uint8_t byte = next(&in);
        if (first_one)
            insn->immediate = byte;
    }
    insn->length = (uint8_t)in.at;
    return !in.short_of || in.at >= X86_INSN_MAX;
}

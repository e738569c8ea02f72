/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the cases from the disk, has each one run, and prints a line for it on the serial port. */
#include "image.h"

#define COM1 0x3f8
#define ATA  0x1f0

static void put(char c)
{
    while (!(in8(COM1 + 5) & 0x20))
        ;
    out8(COM1, (uint8_t)c);
}

void console(const char *text)
{
    while (*text)
        put(*text++);
}

static void put_hex(uint64_t value)
{
    int shift = 60;

    while (shift > 0 && !(value >> shift & 15))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
}

/* The string ends Bochs; what the UART still holds would be lost. */
void stop(void)
{
    while (!(in8(COM1 + 5) & 0x40))
        ;
    for (const char *c = "Shutdown"; *c; c++)
        out8(0x8900, (uint8_t)*c);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void open_console(void) /* 115200 8n1, no interrupts */
{
    static const uint8_t setting[][2] = {{1, 0}, {3, 0x80}, {0, 1}, {1, 0}, {3, 3}, {2, 7}};

    for (unsigned int i = 0; i < sizeof(setting) / sizeof(setting[0]); i++)
        out8((uint16_t)(COM1 + setting[i][0]), setting[i][1]);
}

/* One sector of the first disk. */
static void read_sector(uint32_t lba, void *sector)
{
    uint64_t count = 256;

    out8(ATA + 2, 1);
    out8(ATA + 3, (uint8_t)lba);
    out8(ATA + 4, (uint8_t)(lba >> 8));
    out8(ATA + 5, (uint8_t)(lba >> 16));
    out8(ATA + 6, (uint8_t)(0xe0 | lba >> 24));
    out8(ATA + 7, 0x20);
    while ((in8(ATA + 7) & 0x88) != 0x08) /* BSY clear, DRQ set */
        ;
    __asm__ volatile("rep insw" : "+D"(sector), "+c"(count) : "d"((uint16_t)ATA) : "memory");
}

static void set_memory(void)
{
    for (unsigned int page = 0; page < FIXED_PAGES; page++)
        for (unsigned int i = 0; i < 512; i++)
            *word_at(FIXED_BASE + page * 4096 + i * 8) = fixed_word(page, i);
    for (uint64_t pa = TABLE_BASE; pa < TABLE_BASE + TABLE_PAGES * 4096; pa += 8)
        *word_at(pa) = 0;
    for (uint64_t pa = DATA_BASE; pa < DATA_BASE + DATA_PAGES * 4096; pa += 8)
        *word_at(pa) = data_word(pa);
    *word_at(GUEST_ROOT) = GUEST_ROOT_WORD;
    *word_at(EPT_ROOT) = EPT_ROOT_WORD;
}

static void print_line(uint32_t number, const struct case_sector *test,
                       const struct outcome *outcome)
{
    put_hex(number);
    put(' ');
    put(outcome->kind);
    for (unsigned int i = 0; i < 3; i++) {
        put(' ');
        put_hex(outcome->value[i]);
    }
    put(' ');
    for (unsigned int i = 0; i < test->pokes; i++) {
        uint64_t changed = *word_at(test->poke[i].pa) ^ test->poke[i].value;
        put_hex((changed >> 5 & 3) | (changed >> 8 & 3) << 2);
    }
    put('\n');
}

static void run_case(uint32_t number)
{
    static struct case_sector test;
    struct outcome outcome = {0};

    read_sector(CASE_LBA + 1 + number, &test);
    if (test.magic != CASE_MAGIC || test.pokes > CASE_POKES) {
        console("no case on the disk\n");
        stop();
    }
    for (unsigned int i = 0; i < test.pokes; i++)
        *word_at(test.poke[i].pa) = test.poke[i].value;
    vmx_case(&test, &outcome);
    print_line(number, &test, &outcome);
    for (unsigned int i = 0; i < test.pokes; i++)
        *word_at(test.poke[i].pa) = 0;
}

void image_main(void)
{
    static struct case_sector header;
    const char *missing;

    open_console();
    set_memory();
    missing = vmx_open();
    read_sector(CASE_LBA, &header);
    if (missing || header.magic != CASE_MAGIC) {
        console(missing ? missing : "no cases on the disk");
        put('\n');
        stop();
    }
    console(LINE_FIRST "\n");
    for (uint32_t i = 0; i < header.va; i++)
        run_case(i);
    console(LINE_LAST "\n");
    stop();
}

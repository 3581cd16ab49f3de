-- When the relay last reached the broker, for whoever may not open a connection to it. One row at most.
create table broker_contact (
    only_row boolean not null default true,
    reached_at timestamptz not null,
    constraint broker_contact_pkey primary key (only_row),
    constraint broker_contact_only_row_check check (only_row)
);

-- The whole schema of the first version. Constraints are named: `shared::error` maps the ones a client can break to
-- error codes. Times come from the application's clock. Where a foreign key is composite, `(store_id, …)`, it also proves
-- that both ends belong to one store.

create table stores (
    id uuid not null,
    name text not null,
    timezone text not null,
    is_active boolean not null default true,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint stores_pkey primary key (id),
    constraint stores_name_length check (char_length(name) between 1 and 100)
);

create table admins (
    id bigint generated always as identity,
    store_id uuid,
    username text not null,
    password_hash text not null,
    role text not null,
    is_active boolean not null default true,
    -- Raised by every change that must end older tokens.
    token_version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint admins_pkey primary key (id),
    constraint admins_username_key unique (username),
    constraint admins_store_id_fkey foreign key (store_id) references stores (id),
    constraint admins_role_check check (role in ('store_admin', 'super_admin')),
    constraint admins_store_check check ((role = 'super_admin') = (store_id is null)),
    constraint admins_username_format check (username ~ '^[A-Za-z0-9_.-]{3,50}$')
);
create index admins_store_id_idx on admins (store_id);

create table tables (
    id bigint generated always as identity,
    store_id uuid not null,
    table_number text not null,
    password_hash text not null,
    token_version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint tables_pkey primary key (id),
    constraint tables_store_id_key unique (store_id, id),
    constraint tables_store_number_key unique (store_id, table_number),
    constraint tables_store_id_fkey foreign key (store_id) references stores (id),
    constraint tables_number_length check (char_length(table_number) between 1 and 20)
);

create table table_sessions (
    id bigint generated always as identity,
    store_id uuid not null,
    -- Null once the table itself is deleted.
    table_id bigint,
    started_at timestamptz not null,
    ended_at timestamptz,
    constraint table_sessions_pkey primary key (id),
    constraint table_sessions_table_fkey foreign key (store_id, table_id) references tables (store_id, id)
        on delete set null (table_id),
    constraint table_sessions_order_of_times check (ended_at >= started_at),
    constraint table_sessions_open_has_table check (ended_at is not null or table_id is not null)
);
create unique index table_sessions_one_open_key on table_sessions (table_id) where ended_at is null;
create index table_sessions_table_idx on table_sessions (store_id, table_id);

create table menu_categories (
    id bigint generated always as identity,
    store_id uuid not null,
    name text not null,
    display_order integer not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint menu_categories_pkey primary key (id),
    constraint menu_categories_store_id_key unique (store_id, id),
    constraint menu_categories_store_name_key unique (store_id, name),
    constraint menu_categories_display_order_key unique (store_id, display_order) deferrable initially deferred,
    constraint menu_categories_store_id_fkey foreign key (store_id) references stores (id),
    constraint menu_categories_name_length check (char_length(name) between 1 and 50),
    constraint menu_categories_display_order_check check (display_order >= 1)
);

create table images (
    id bigint generated always as identity,
    store_id uuid not null,
    status text not null,
    -- Why the picture was rejected.
    reason text,
    -- Object keys of the display picture and its thumbnail, once ready.
    image_key text,
    thumbnail_key text,
    created_at timestamptz not null,
    constraint images_pkey primary key (id),
    constraint images_store_id_key unique (store_id, id),
    constraint images_store_id_fkey foreign key (store_id) references stores (id),
    constraint images_status_check check (status in ('pending', 'ready', 'rejected')),
    constraint images_ready_has_keys check (
        (status = 'ready') = (image_key is not null and thumbnail_key is not null)
    )
);

create table menus (
    id bigint generated always as identity,
    store_id uuid not null,
    category_id bigint not null,
    name text not null,
    description text,
    price bigint not null,
    is_available boolean not null default true,
    display_order integer not null,
    image_id bigint,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint menus_pkey primary key (id),
    constraint menus_display_order_key unique (category_id, display_order) deferrable initially deferred,
    constraint menus_category_fkey foreign key (store_id, category_id) references menu_categories (store_id, id),
    constraint menus_image_fkey foreign key (store_id, image_id) references images (store_id, id),
    constraint menus_name_length check (char_length(name) between 1 and 100),
    constraint menus_description_length check (char_length(description) <= 1000),
    constraint menus_price_check check (price between 1 and 10000000),
    constraint menus_display_order_check check (display_order >= 1)
);
create index menus_store_category_idx on menus (store_id, category_id);
create index menus_image_idx on menus (image_id) where image_id is not null;

create table orders (
    id bigint generated always as identity,
    store_id uuid not null,
    table_id bigint not null,
    session_id bigint not null,
    order_number integer not null,
    business_date date not null,
    status text not null,
    note text,
    total_price bigint not null,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint orders_pkey primary key (id),
    constraint orders_number_key unique (store_id, business_date, order_number),
    constraint orders_table_fkey foreign key (store_id, table_id) references tables (store_id, id),
    constraint orders_session_fkey foreign key (session_id) references table_sessions (id),
    constraint orders_status_check check (status in ('pending', 'preparing', 'ready', 'served', 'cancelled')),
    constraint orders_number_check check (order_number >= 1),
    constraint orders_total_check check (total_price > 0),
    constraint orders_note_length check (char_length(note) <= 200)
);
create index orders_session_status_idx on orders (session_id, status);
create index orders_store_idx on orders (store_id, id desc);
create index orders_table_idx on orders (table_id);

create table order_items (
    id bigint generated always as identity,
    order_id bigint not null,
    menu_id bigint not null,
    menu_name text not null,
    quantity integer not null,
    unit_price bigint not null,
    subtotal bigint not null,
    note text,
    constraint order_items_pkey primary key (id),
    constraint order_items_order_fkey foreign key (order_id) references orders (id) on delete cascade,
    constraint order_items_menu_fkey foreign key (menu_id) references menus (id),
    constraint order_items_quantity_check check (quantity between 1 and 100),
    constraint order_items_price_check check (unit_price > 0),
    constraint order_items_subtotal_check check (subtotal = quantity * unit_price),
    constraint order_items_note_length check (char_length(note) <= 200)
);
create index order_items_order_idx on order_items (order_id);
create index order_items_menu_idx on order_items (menu_id);

-- Kept when the order is archived, so that who did what stays known: `order_id` is the original id there too.
create table order_status_changes (
    id bigint generated always as identity,
    store_id uuid not null,
    order_id bigint not null,
    from_status text not null,
    to_status text not null,
    admin_id bigint not null,
    changed_at timestamptz not null,
    constraint order_status_changes_pkey primary key (id),
    constraint order_status_changes_store_id_fkey foreign key (store_id) references stores (id),
    constraint order_status_changes_admin_fkey foreign key (admin_id) references admins (id)
);
create index order_status_changes_order_idx on order_status_changes (order_id);

create table order_history (
    id bigint generated always as identity,
    store_id uuid not null,
    -- Null once the table is deleted; its number stays.
    table_id bigint,
    table_number text not null,
    session_id bigint not null,
    original_order_id bigint not null,
    order_number integer not null,
    business_date date not null,
    status text not null,
    note text,
    total_price bigint not null,
    order_created_at timestamptz not null,
    archived_at timestamptz not null,
    constraint order_history_pkey primary key (id),
    constraint order_history_original_key unique (original_order_id),
    constraint order_history_number_key unique (store_id, business_date, order_number),
    constraint order_history_table_fkey foreign key (store_id, table_id) references tables (store_id, id)
        on delete set null (table_id),
    constraint order_history_session_fkey foreign key (session_id) references table_sessions (id),
    constraint order_history_store_id_fkey foreign key (store_id) references stores (id)
);
create index order_history_table_idx on order_history (store_id, table_id, archived_at desc, id desc);

create table order_history_items (
    id bigint generated always as identity,
    order_history_id bigint not null,
    -- Null once the menu is deleted; its name stays.
    menu_id bigint,
    menu_name text not null,
    quantity integer not null,
    unit_price bigint not null,
    subtotal bigint not null,
    note text,
    constraint order_history_items_pkey primary key (id),
    constraint order_history_items_order_fkey foreign key (order_history_id) references order_history (id)
        on delete cascade,
    constraint order_history_items_menu_fkey foreign key (menu_id) references menus (id) on delete set null,
    constraint order_history_items_subtotal_check check (subtotal = quantity * unit_price)
);
create index order_history_items_order_idx on order_history_items (order_history_id);
create index order_history_items_menu_idx on order_history_items (menu_id);

-- The last order number of a store's calendar day. Its row lock puts concurrent orders in line, without gaps.
create table order_counters (
    store_id uuid not null,
    business_date date not null,
    last_number integer not null,
    constraint order_counters_pkey primary key (store_id, business_date),
    constraint order_counters_store_id_fkey foreign key (store_id) references stores (id)
);

-- Transactional outbox: an event is written with the change it tells of, and published afterwards.
create table outbox (
    -- The event's id, everywhere it goes.
    id uuid not null,
    sequence bigint generated always as identity,
    store_id uuid not null,
    event_type text not null,
    -- The event as it is published, byte for byte.
    payload text not null,
    created_at timestamptz not null,
    published_at timestamptz,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    constraint outbox_pkey primary key (id)
);
create index outbox_unpublished_idx on outbox (sequence) where published_at is null;
create index outbox_published_idx on outbox (published_at) where published_at is not null;

-- The first answer to a request that placed an order, for whoever sends the same key again. Kept for 24 hours.
create table idempotency_keys (
    table_id bigint not null,
    key text not null,
    request_hash bytea not null,
    response text not null,
    created_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (table_id, key),
    constraint idempotency_keys_table_fkey foreign key (table_id) references tables (id) on delete cascade
);
create index idempotency_keys_created_idx on idempotency_keys (created_at);

-- Who changed a price, deleted something or reset a password, and when.
create table audit_entries (
    id bigint generated always as identity,
    store_id uuid,
    admin_id bigint not null,
    action text not null,
    entity_id text not null,
    details jsonb not null,
    created_at timestamptz not null,
    constraint audit_entries_pkey primary key (id)
);
create index audit_entries_store_idx on audit_entries (store_id, created_at);

drop table broker_contact;
